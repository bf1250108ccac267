import { blobId, type Hex, jobIdOf } from "../../protocol";
import { bundledSettled } from "./bundle";
import { zipOf } from "./download";
import { ResultsInvalid, settledTasks } from "./settled";
import type { Answer, Ask, Verified, Work } from "./verification";

/** The thread's side: verifies, asks for one blob at a time, and writes the zip. */
export class Verifying {
  #give: ((data: Uint8Array) => void) | null = null;

  constructor(readonly say: (answer: Answer) => void) {}

  /** Takes a message of the page. */
  async hear(ask: Ask): Promise<void> {
    if (ask.is === "blob") return this.#give?.(ask.data);
    try {
      this.say({ is: "done", ...(await this.#verified(ask)) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.say({ is: error instanceof ResultsInvalid ? "invalid" : "failed", reason });
    }
  }

  async #verified({ job, epochs, replayed }: Work): Promise<Verified> {
    const found = await settledTasks(job, epochs, this.#blob, (tasks) => this.say({ is: "checked", tasks }));
    const bundled = bundledSettled(found, (task) => replayed[task] === 1);
    return { tasks: found.length, zip: await zipOf(jobIdOf(job.bid), job.bid.programId, job.bid.taskCount, bundled) };
  }

  /** A blob, refused where its bytes are not those of its id. */
  #blob = async (id: Hex): Promise<Uint8Array> => {
    const data = await new Promise<Uint8Array>((resolve) => {
      this.#give = resolve;
      this.say({ is: "want", id });
    });
    if (blobId(data) !== id) throw new ResultsInvalid("A blob's bytes are not those of its id.");
    return data;
  };
}
