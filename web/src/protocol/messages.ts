/** The five signed messages (sections 1 and 2): an interface for the fields, and its type under the same name. */
import type { Address, Hex } from "./encoding.ts";
import { EncodingInvalid } from "./errors.ts";
import { MessageType } from "./structs.ts";

export const RATE_FLOOR_MIN_PPM = 10_000;
export const FEE_MAX_PPM = 30_000;
export const SPAN_TASKS_MAX = 256;

/** What the buyer signs to open a job. Prices in wei per GWU, `budget` and `minStake` in wei, limits in WU. */
export interface Bid {
  readonly buyer: Address;
  readonly programId: Hex;
  readonly inputsRoot: Hex;
  readonly manifest: Hex;
  readonly taskCount: number;
  readonly spanTasks: number;
  readonly taskLimitWU: bigint;
  readonly maxOutputBytes: number;
  readonly maxPriceWeiPerGWU: bigint;
  readonly budget: bigint;
  readonly rateFloorPpm: number;
  readonly minStake: bigint;
  readonly deadline: number;
  readonly settler: Address;
  readonly maxFeePpm: number;
  readonly salt: Hex;
}

export const Bid = new MessageType<Bid>(
  "Bid(address buyer,bytes32 programId,bytes32 inputsRoot,bytes32 manifest,uint32 taskCount,uint32 spanTasks," +
    "uint64 taskLimitWU,uint32 maxOutputBytes,uint128 maxPriceWeiPerGWU,uint128 budget,uint24 rateFloorPpm," +
    "uint128 minStake,uint40 deadline,address settler,uint24 maxFeePpm,bytes32 salt)",
);

/** Spans given to a device for a time, signed by the settler. `expiry` and `postBy` in Unix seconds. */
export interface Lease {
  readonly jobId: Hex;
  readonly leaseId: bigint;
  readonly spans: readonly number[];
  readonly device: Address;
  readonly priceWeiPerGWU: bigint;
  readonly expiry: number;
  readonly postBy: number;
}

export const Lease = new MessageType<Lease>(
  "Lease(bytes32 jobId,uint64 leaseId,uint32[] spans,address device,uint128 priceWeiPerGWU,uint40 expiry," +
    "uint40 postBy)",
);

/** A device's cumulative claim for a job and period. `amount` in wei, `postBy` in Unix seconds. */
export interface Receipt {
  readonly jobId: Hex;
  readonly device: Address;
  readonly period: number;
  readonly spansHash: Hex;
  readonly resultsRoot: Hex;
  readonly count: number;
  readonly totalWU: bigint;
  readonly totalSquaredWU: bigint;
  readonly amount: bigint;
  readonly postBy: number;
}

export const Receipt = new MessageType<Receipt>(
  "Receipt(bytes32 jobId,address device,uint32 period,bytes32 spansHash,bytes32 resultsRoot,uint32 count," +
    "uint64 totalWU,uint128 totalSquaredWU,uint128 amount,uint40 postBy)",
);

/** A device belongs to an owner, for good. Signed by both. */
export interface Binding {
  readonly device: Address;
  readonly owner: Address;
}

export const Binding = new MessageType<Binding>("Binding(address device,address owner)");

/** A device talks to a market. `issuedAt` in Unix seconds. */
export interface Session {
  readonly device: Address;
  readonly issuedAt: number;
  readonly nonce: Hex;
}

export const Session = new MessageType<Session>("Session(address device,uint40 issuedAt,bytes32 nonce)");

/** The job that a bid opens: the bid's struct hash. */
export function jobIdOf(bid: Bid): Hex {
  return Bid.structHash(bid);
}

/** EncodingInvalid where the fields fit their types and yet no job can be opened on them. */
export function checkBidRules(bid: Bid): void {
  if (bid.taskCount === 0) throw new EncodingInvalid("taskCount is 0");
  if (bid.spanTasks < 1 || bid.spanTasks > SPAN_TASKS_MAX) {
    throw new EncodingInvalid(`spanTasks is ${bid.spanTasks}, not 1 to ${SPAN_TASKS_MAX}`);
  }
  if (bid.taskLimitWU === 0n) throw new EncodingInvalid("taskLimitWU is 0");
  if (bid.rateFloorPpm < RATE_FLOOR_MIN_PPM || bid.rateFloorPpm > 1_000_000) {
    throw new EncodingInvalid(`rateFloorPpm is ${bid.rateFloorPpm}, not ${RATE_FLOOR_MIN_PPM} to 1000000`);
  }
  if (bid.maxFeePpm > FEE_MAX_PPM) throw new EncodingInvalid(`maxFeePpm is ${bid.maxFeePpm}, above ${FEE_MAX_PPM}`);
}
