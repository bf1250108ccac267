/** The thread on which a job's results are verified: a large job's would hold the page up for many seconds. */
import { Verifying } from "./verifying";
import type { Ask } from "./verification";

const verifying = new Verifying((answer) => self.postMessage(answer));

self.addEventListener("message", ({ data }: MessageEvent<Ask>) => void verifying.hear(data));
