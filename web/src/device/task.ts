/**
 * The Web Worker that runs guests and nothing else: a fresh instance for each task, no network, no storage.
 *
 * It is ended from outside past the wall limit, and whatever is not a result of the program itself is told as a failure.
 */
import { DeviceFailure, runTask } from "../protocol/run.ts";
import { confine } from "./confine.ts";
import type { Slice, Told } from "./runner.ts";

const stuck = confine(self);

function tell(told: Told, transfer: Transferable[] = []): void {
  self.postMessage(told, { transfer });
}

function run({ module, tasks, limitWU, outputBytes }: Slice): void {
  if (stuck.length) throw new DeviceFailure(`this browser does not give up ${stuck.join(", ")}`);
  for (const { position, input } of tasks) {
    const { status, output, wu } = runTask(module, input, { wu: limitWU, outputBytes });
    tell({ is: "outcome", position, status, output, wu }, [output.buffer]);
  }
  tell({ is: "done" });
}

self.addEventListener("message", ({ data }: MessageEvent<Slice>) => {
  try {
    run(data);
  } catch (error) {
    // Whatever it was, it is no result: a DeviceFailure, or an engine's own error that nobody foresaw.
    tell({ is: "failed", reason: error instanceof DeviceFailure ? error.reason : String(error) });
  }
});
