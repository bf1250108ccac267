/** The thread on which a page runs one task again: a module, an input, limits in; a result or a reason out. */
import { compileModule, type RunResult, runTask, type TaskLimits } from "../protocol";

/** What the thread is asked. */
export type Request = { id: number; module: Uint8Array | null; input: Uint8Array; limits: TaskLimits };

/** What it answers: `failure` says what kept this browser from running it. */
export type Answer = { id: number; result: RunResult } | { id: number; failure: string };

let compiled: WebAssembly.Module | null = null;

/** A module comes with the first task that needs it; later tasks have null. */
async function answer({ id, module, input, limits }: Request): Promise<Answer> {
  try {
    if (module) compiled = await compileModule(module);
    if (!compiled) return { id, failure: "no module was given" };
    return { id, result: runTask(compiled, input, limits) };
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : String(error) };
  }
}

addEventListener("message", (event: MessageEvent<Request>) => {
  void answer(event.data).then((done) => postMessage(done));
});
