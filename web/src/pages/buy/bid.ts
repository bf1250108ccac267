import { type Address, Bid, checkBidRules, type Hex, ZERO_ADDRESS } from "../../protocol";
import type { Quote } from "./quote";
import type { Terms, UploadedInputs } from "./terms";

/** Outputs may have as many bytes as the contracts allow. */
export const OUTPUT_BYTES_MAX = 1 << 20;

/** What a bid is made of. `now` is the chain's time in Unix seconds, `cap` the quote's at the chosen floor, in wei. */
export type BidParts = {
  buyer: Address;
  program: Hex;
  inputs: UploadedInputs;
  quote: Quote;
  cap: bigint;
  terms: Terms;
  now: number;
  salt: Hex;
};

/** The bid on a quote. @throws EncodingInvalid where no job opens on it. */
export function bidOf({ buyer, program, inputs, quote, cap, terms, now, salt }: BidParts): Bid {
  const bid = Bid.of({
    buyer,
    programId: program,
    inputsRoot: inputs.inputsRoot,
    manifest: inputs.manifest,
    taskCount: inputs.tasks,
    spanTasks: quote.spanTasks,
    taskLimitWU: quote.taskLimitWU,
    maxOutputBytes: OUTPUT_BYTES_MAX,
    maxPriceWeiPerGWU: quote.price,
    budget: terms.budget ?? cap,
    rateFloorPpm: terms.floorPpm,
    minStake: terms.minStake,
    deadline: now + terms.deadlineSeconds,
    settler: ZERO_ADDRESS,
    maxFeePpm: quote.feePpm,
    salt,
  });
  checkBidRules(bid);
  return bid;
}
