/** Running the tasks of a lease: dedicated Web Workers that know nothing else, ended when they take too long. */
import { DeviceFailure, type Status } from "../protocol/index.ts";
import type { Work } from "./moves.ts";

/** Past it a task is this device's failure, as on the desktop. */
export const WALL_LIMIT_S = 60;
const SLICE_TASKS = 64;
const SLICE_MS = 500;
const LOOK_MS = 1_000;

/** How a task ended. */
export interface Outcome {
  readonly status: Status;
  readonly output: Uint8Array;
  readonly wu: bigint;
}

/** Some tasks of one program, by their position in the work. */
export interface Slice {
  readonly module: WebAssembly.Module;
  readonly tasks: readonly { readonly position: number; readonly input: Uint8Array }[];
  readonly limitWU: bigint;
  readonly outputBytes: number;
}

/** What a worker says. */
export type Told =
  | ({ readonly is: "outcome"; readonly position: number } & Outcome)
  | { readonly is: "done" }
  | { readonly is: "failed"; readonly reason: string };

/** What the runner needs of a Web Worker. */
export interface TaskWorker {
  postMessage(slice: Slice): void;
  onmessage: ((event: MessageEvent<Told>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
  terminate(): void;
}

/** How many workers at a time, and what part of their time they work. */
export interface Share {
  readonly workers: number;
  readonly cpuPercent: number;
}

/** Turns work into outcomes. */
export interface Runner {
  /** The outcomes of the tasks in order. DeviceFailure if one could not be run; there is no part of a lease. */
  run(work: Pick<Work, "module" | "tasks">, limits: RunLimits, share: Share): Promise<Outcome[]>;
  /** Tasks of the running or last `run` that have an outcome. */
  readonly tasksDone: number;
  /** Makes a running `run` throw DeviceFailure at once. */
  abort(): void;
  /** Ends all workers. */
  close(): void;
}

/** The most that one task may use: WU, bytes of output. */
export interface RunLimits {
  readonly taskLimitWU: bigint;
  readonly maxOutputBytes: number;
}

interface Run {
  readonly module: WebAssembly.Module;
  readonly tasks: Work["tasks"];
  readonly limits: RunLimits;
  readonly share: Share;
  readonly outcomes: (Outcome | undefined)[];
  readonly abort: AbortController;
  next: number;
  done: number;
}

/** Runs on Web Workers, kept from one lease to the next unless one failed. */
export class WorkerRunner implements Runner {
  readonly #spawn: () => TaskWorker;
  #idle: TaskWorker[] = [];
  #run: Run | null = null;

  /** `spawn` starts a worker of `task.ts`. */
  constructor(spawn: () => TaskWorker) {
    this.#spawn = spawn;
  }

  get tasksDone(): number {
    return this.#run?.done ?? 0;
  }

  async run({ module, tasks }: Pick<Work, "module" | "tasks">, limits: RunLimits, share: Share): Promise<Outcome[]> {
    const abort = new AbortController();
    const outcomes = Array<Outcome | undefined>(tasks.length).fill(undefined);
    const run: Run = { module, tasks, limits, share, outcomes, abort, next: 0, done: 0 };
    this.#run = run;
    const count = Math.min(share.workers, tasks.length);
    const lanes = await Promise.allSettled(Array.from({ length: count }, () => this.#lane(run)));
    const failed = lanes.find((lane) => lane.status === "rejected");
    if (failed) throw failed.reason;
    return outcomes.map((outcome, position) => {
      if (!outcome) throw new DeviceFailure(`task ${position} of the lease has no outcome`);
      return outcome;
    });
  }

  abort(): void {
    this.#run?.abort.abort(new DeviceFailure("aborted"));
  }

  close(): void {
    this.abort();
    for (const worker of this.#idle) worker.terminate();
    this.#idle = [];
  }

  /** One worker at work, slice by slice, until there are no more tasks. The first failure ends all lanes. */
  async #lane(run: Run): Promise<void> {
    const worker = this.#idle.pop() ?? this.#spawn();
    try {
      let size = 1;
      while (run.next < run.tasks.length) {
        const begun = performance.now();
        await this.#slice(worker, run, size);
        const busyMs = performance.now() - begun;
        if (busyMs > SLICE_MS) size = Math.max(1, Math.floor(size / 2));
        else if (busyMs < SLICE_MS / 2) size = Math.min(SLICE_TASKS, size * 2);
        if (run.share.cpuPercent < 100 && run.next < run.tasks.length) {
          await rest(busyMs * (100 / run.share.cpuPercent - 1), run.abort.signal);
        }
      }
      this.#idle.push(worker);
    } catch (error) {
      worker.terminate();
      run.abort.abort(error);
      throw error;
    }
  }

  /** The next tasks, at most `size`. DeviceFailure when the worker dies, says so, or is silent past the wall limit. */
  #slice(worker: TaskWorker, run: Run, size: number): Promise<void> {
    const { signal } = run.abort;
    const first = run.next;
    run.next = Math.min(run.tasks.length, first + size);
    const tasks = run.tasks.slice(first, run.next).map(({ input }, k) => ({ position: first + k, input }));
    return new Promise((resolve, reject) => {
      let heardAt = performance.now();
      const fail = (reason: string) => {
        end(() => {
          reject(new DeviceFailure(reason));
        });
      };
      const stop = () => {
        end(() => {
          reject(signal.reason as Error);
        });
      };
      const watch = setInterval(() => {
        if (performance.now() - heardAt > WALL_LIMIT_S * 1000) fail("a task ran past the wall limit");
      }, LOOK_MS);
      const end = (settle: () => void) => {
        clearInterval(watch);
        signal.removeEventListener("abort", stop);
        worker.onmessage = worker.onerror = worker.onmessageerror = null;
        settle();
      };
      worker.onmessage = ({ data }) => {
        heardAt = performance.now();
        if (data.is === "failed") fail(data.reason);
        else if (data.is === "done") end(resolve);
        else note(run, data.position, data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        fail(`the engine died: ${event.message || "out of memory, perhaps"}`);
      };
      worker.onmessageerror = () => {
        fail("the engine's answer cannot be read");
      };
      if (signal.aborted) {
        stop();
        return;
      }
      signal.addEventListener("abort", stop);
      const { taskLimitWU, maxOutputBytes } = run.limits;
      worker.postMessage({ module: run.module, tasks, limitWU: taskLimitWU, outputBytes: maxOutputBytes });
    });
  }
}

function note(run: Run, position: number, { status, output, wu }: Outcome): void {
  if (run.outcomes[position] !== undefined || position >= run.tasks.length) return;
  run.outcomes[position] = { status, output, wu };
  run.done += 1;
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal.addEventListener("abort", stop, { once: true });
  });
}
