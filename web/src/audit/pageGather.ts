import type { Domain } from "../protocol";
import type { Evidence, Posting } from "./evidence";
import type { GatherAnswer, GatherRequest } from "./gather.worker";

/** `gather` on a thread of its own, which ends with it or when `signal` aborts. */
export function gatherAside(posting: Posting, raw: Uint8Array, domain: Domain, signal: AbortSignal): Promise<Evidence> {
  const worker = new Worker(new URL("./gather.worker.ts", import.meta.url), { type: "module" });
  const done = new Promise<Evidence>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("The page was left.")), { once: true });
    worker.addEventListener("error", () => reject(new Error("The thread that checks the data ended.")));
    worker.addEventListener("message", ({ data }: MessageEvent<GatherAnswer>) => {
      if ("evidence" in data) resolve(data.evidence);
      else reject(new Error(data.failure));
    });
  });
  const request: GatherRequest = { posting, raw, domain };
  worker.postMessage(request);
  return done.finally(() => worker.terminate());
}
