/** The thread on which an epoch's data is checked: hundreds of signatures would hold a page up for seconds. */
import type { Domain } from "../protocol";
import { type Evidence, gather, type Posting } from "./evidence";

/** What the thread is asked. */
export type GatherRequest = { posting: Posting; raw: Uint8Array; domain: Domain };

/** What it answers. */
export type GatherAnswer = { evidence: Evidence } | { failure: string };

function answer({ posting, raw, domain }: GatherRequest): GatherAnswer {
  try {
    return { evidence: gather(posting, raw, domain) };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

addEventListener("message", ({ data }: MessageEvent<GatherRequest>) => {
  postMessage(answer(data));
});
