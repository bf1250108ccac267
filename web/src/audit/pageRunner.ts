import { DeviceFailure, type Hex, type RunResult, type TaskLimits } from "../protocol";
import type { Answer, Request } from "./replay.worker";

/** The longest that one task may take in a page. */
export const WALL_LIMIT_MS = 120_000;

/** Runs tasks one after another on one thread, which is ended and made anew when a task fails or takes too long. */
export class PageRunner {
  #worker: Worker | null = null;
  #module: Hex | null = null;
  #next = 0;

  /** Runs a task. `moduleHash` names the module, which goes to the thread once. @throws DeviceFailure */
  run = async (module: Uint8Array, moduleHash: Hex, input: Uint8Array, limits: TaskLimits): Promise<RunResult> => {
    const worker = this.#worker ?? new Worker(new URL("./replay.worker.ts", import.meta.url), { type: "module" });
    const known = this.#worker !== null && this.#module === moduleHash;
    this.#worker = worker;
    this.#module = moduleHash;
    const request: Request = { id: this.#next++, module: known ? null : module, input, limits };
    try {
      return await asked(worker, request);
    } catch (error) {
      this.close();
      throw error;
    }
  };

  /** Ends the thread, and with it whatever runs on it. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#module = null;
  }
}

function asked(worker: Worker, request: Request): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const end = new AbortController();
    const fail = (reason: string) => {
      end.abort();
      reject(new DeviceFailure(reason));
    };
    const timer = setTimeout(() => fail(`past ${WALL_LIMIT_MS / 1000} seconds`), WALL_LIMIT_MS);
    end.signal.addEventListener("abort", () => clearTimeout(timer));
    const heard = { signal: end.signal };
    worker.addEventListener("error", () => fail("the thread ended"), heard);
    worker.addEventListener(
      "message",
      ({ data }: MessageEvent<Answer>) => {
        if (data.id !== request.id) return;
        if ("failure" in data) return fail(data.failure);
        end.abort();
        resolve(data.result);
      },
      heard,
    );
    worker.postMessage(request);
  });
}
