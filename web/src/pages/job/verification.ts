import type { Hex } from "../../protocol";
import { ResultsInvalid, type SettledEpoch, type SettledJob } from "./settled";

/** What is verified: a job against what the chain says of it. `replayed`: 1 for each task that seats ran again. */
export type Work = { job: SettledJob; epochs: readonly SettledEpoch[]; replayed: Uint8Array };

/** Results that were verified: how many, and the zip of their outputs. */
export type Verified = { tasks: number; zip: Blob };

/** What the verifying thread is told: its work, then the blobs that it wants. */
export type Ask = ({ is: "work" } & Work) | { is: "blob"; data: Uint8Array };

/** What it says. It wants one blob at a time; `checked` counts the tasks since the last such word. */
export type Answer =
  | { is: "want"; id: Hex }
  | { is: "checked"; tasks: number }
  | ({ is: "done" } & Verified)
  | { is: "invalid" | "failed"; reason: string };

/** As much of a Worker as is needed here. */
export type Thread = Pick<Worker, "postMessage" | "addEventListener" | "terminate">;

/** The verifying thread. */
export const verifyingThread = (): Thread =>
  new Worker(new URL("./verification.worker.ts", import.meta.url), { type: "module" });

/**
 * Verifies a job's results on a thread, which ends with it or when `signal` aborts; what it needs of the network is
 * fetched here. `onChecked` is told how many tasks have been checked so far.
 * @throws ResultsInvalid where outputs, blobs and chain do not agree, and what `blobOf` throws.
 */
export function verifyAside(
  thread: Thread,
  work: Work,
  blobOf: (id: Hex) => Promise<Uint8Array>,
  onChecked: (tasks: number) => void,
  signal: AbortSignal,
): Promise<Verified> {
  const tell = (ask: Ask) => thread.postMessage(ask);
  const done = new Promise<Verified>((resolve, reject) => {
    let checked = 0;
    signal.addEventListener("abort", () => reject(new Error("The page was left.")), { once: true });
    thread.addEventListener("error", () => reject(new Error("The thread that verifies the results ended.")));
    thread.addEventListener("message", ({ data }: MessageEvent<Answer>) => {
      switch (data.is) {
        case "want":
          blobOf(data.id).then((blob) => tell({ is: "blob", data: blob }), reject);
          break;
        case "checked":
          onChecked((checked += data.tasks));
          break;
        case "done":
          resolve(data);
          break;
        case "invalid":
          reject(new ResultsInvalid(data.reason));
          break;
        case "failed":
          reject(new Error(data.reason));
      }
    });
  });
  tell({ is: "work", ...work });
  return done.finally(() => thread.terminate());
}
