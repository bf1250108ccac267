import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { DeviceFailure, Status } from "../protocol/index.ts";
import { confine } from "./confine.ts";
import { WALL_LIMIT_S, WorkerRunner, type Slice, type TaskWorker, type Told } from "./runner.ts";

const MODULE = {} as WebAssembly.Module;
const LIMITS = { taskLimitWU: 100n, maxOutputBytes: 10 };
const ALONE = { workers: 1, cpuPercent: 100 };

/** A worker that answers each task with its input, unless `act` does something else. */
class FakeWorker implements TaskWorker {
  onmessage: TaskWorker["onmessage"] = null;
  onerror: TaskWorker["onerror"] = null;
  onmessageerror: TaskWorker["onmessageerror"] = null;
  isTerminated = false;
  readonly slices: Slice[] = [];

  constructor(readonly act?: (worker: FakeWorker, slice: Slice) => void) {}

  postMessage(slice: Slice): void {
    this.slices.push(slice);
    queueMicrotask(() => {
      if (this.act) this.act(this, slice);
      else this.answer(slice);
    });
  }

  answer(slice: Slice): void {
    for (const { position, input } of slice.tasks) {
      this.tell({ is: "outcome", position, status: Status.OK, output: input, wu: 1n });
    }
    this.tell({ is: "done" });
  }

  tell(told: Told): void {
    this.onmessage?.({ data: told } as MessageEvent<Told>);
  }

  terminate(): void {
    this.isTerminated = true;
  }
}

function workOf(tasks: number) {
  return {
    module: MODULE,
    tasks: Array.from({ length: tasks }, (_, index) => ({ index, input: Uint8Array.of(index) })),
  };
}

describe("runner", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    ["says so", (worker: FakeWorker) => worker.tell({ is: "failed", reason: "stack" })],
    ["dies", (worker: FakeWorker) => worker.onerror?.({ preventDefault: () => undefined, message: "" } as ErrorEvent)],
    ["garbles its answer", (worker: FakeWorker) => worker.onmessageerror?.({} as MessageEvent)],
  ])("run_worker that %s fails the whole lease and is ended", async (_, act) => {
    const worker = new FakeWorker(act);
    const runner = new WorkerRunner(() => worker);
    await expect(runner.run(workOf(3), LIMITS, ALONE)).rejects.toThrow(DeviceFailure);
    expect(worker.isTerminated).toBe(true);
  });

  test("run_worker silent past the wall limit is ended, one that keeps answering is not", async () => {
    const worker = new FakeWorker((it, { tasks }) => {
      tasks.forEach(({ position, input }) => {
        setTimeout(() => {
          it.tell({ is: "outcome", position, status: Status.OK, output: input, wu: 1n });
          it.tell({ is: "done" });
        }, 50_000);
      });
    });
    const slow = new WorkerRunner(() => worker).run(workOf(2), LIMITS, ALONE);
    await vi.advanceTimersByTimeAsync(110_000);
    expect(await slow).toHaveLength(2);
    const silent = new FakeWorker(() => undefined);
    const stuck = new WorkerRunner(() => silent).run(workOf(1), LIMITS, ALONE);
    const refused = expect(stuck).rejects.toThrow("wall limit");
    await vi.advanceTimersByTimeAsync((WALL_LIMIT_S + 2) * 1000);
    await refused;
    expect(silent.isTerminated).toBe(true);
  });

  test("run_outcomes come in the order of the tasks, whoever is quicker", async () => {
    const workers: FakeWorker[] = [];
    const runner = new WorkerRunner(() => {
      const delay = workers.length ? 5 : 500;
      const worker = new FakeWorker((it, slice) => {
        setTimeout(() => {
          it.answer(slice);
        }, delay);
      });
      workers.push(worker);
      return worker;
    });
    const running = runner.run(workOf(200), LIMITS, { workers: 3, cpuPercent: 100 });
    await vi.advanceTimersByTimeAsync(20_000);
    const outcomes = await running;
    expect(outcomes.map((outcome) => outcome.output[0])).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(runner.tasksDone).toBe(200);
    expect(workers).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(0);
  });

  test("run_failure of one worker ends the others", async () => {
    const workers: FakeWorker[] = [];
    const runner = new WorkerRunner(() => {
      const isBad = workers.length === 1;
      const worker = new FakeWorker((it) => {
        if (isBad) it.tell({ is: "failed", reason: "oom" });
      });
      workers.push(worker);
      return worker;
    });
    await expect(runner.run(workOf(8), LIMITS, { workers: 2, cpuPercent: 100 })).rejects.toThrow(DeviceFailure);
    expect(workers.map((worker) => worker.isTerminated)).toEqual([true, true]);
  });

  test("abort_running run fails at once, and the next run has a fresh worker", async () => {
    const silent = new FakeWorker(() => undefined);
    const workers = [silent, new FakeWorker()];
    const runner = new WorkerRunner(() => workers.shift() ?? new FakeWorker());
    const running = runner.run(workOf(1), LIMITS, ALONE);
    runner.abort();
    await expect(running).rejects.toThrow("aborted");
    expect(silent.isTerminated).toBe(true);
    expect(await runner.run(workOf(1), LIMITS, ALONE)).toHaveLength(1);
  });

  test("run_half of the time rests as long as it worked", async () => {
    const worker = new FakeWorker((it, slice) => {
      setTimeout(() => {
        it.answer(slice);
      }, 1_000);
    });
    const begun = performance.now();
    const running = new WorkerRunner(() => worker).run(workOf(3), LIMITS, { workers: 1, cpuPercent: 50 });
    await vi.advanceTimersByTimeAsync(10_000);
    await running;
    expect(worker.slices.map((slice) => slice.tasks.length)).toEqual([1, 1, 1]);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(5_000);
  });

  test("run_quick tasks go to the worker many at a time, and the worker is kept", async () => {
    let made = 0;
    const runner = new WorkerRunner(() => {
      made += 1;
      return new FakeWorker();
    });
    await runner.run(workOf(300), LIMITS, ALONE);
    await runner.run(workOf(300), LIMITS, ALONE);
    expect(made).toBe(1);
  });
});

test("confine_network, storage and workers are gone, also from the prototypes", () => {
  class Scope {}
  Object.assign(Scope.prototype, { fetch: () => 1, indexedDB: {}, importScripts: () => 1 });
  const scope = Object.assign(new Scope(), { WebSocket: class {}, caches: {}, Worker: class {}, performance: {} });
  expect(confine(scope)).toEqual([]);
  for (const name of ["fetch", "indexedDB", "importScripts", "WebSocket", "caches", "Worker"]) {
    expect(Reflect.get(scope, name), name).toBeUndefined();
  }
  expect(scope.performance).toBeDefined();
});

test("confine_power that cannot be taken away is told", () => {
  const scope = Object.defineProperty({}, "fetch", { value: () => 1, configurable: false });
  expect(confine(scope)).toEqual(["fetch"]);
});
