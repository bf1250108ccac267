import type { Address, Hex } from "viem";
import type { Schema } from "../../api/client";
import type { EventLog } from "../../chain/log";
import type { Item } from "./earnings";

/** What the market says of an owner's pay (`GET /v1/owners/{address}/earnings`, its first page). */
export type MarketWord = Pick<Schema<"OwnerEarnings">, "acceptedWei" | "postedWei" | "finalWei" | "leaves">;
type Leaf = MarketWord["leaves"][number];

/** Epochs of committed leaves that are not final as far as the market saw: it may be behind, or its settler away. */
export const unfinalEpochs = (word: MarketWord | undefined): bigint[] => [
  ...new Set(
    (word?.leaves ?? [])
      .filter(({ state, epochState }) => state === "committed" && epochState !== "final" && !TAKEN_BACK.has(epochState))
      .map(({ epoch }) => BigInt(epoch)),
  ),
];

/**
 * What is done and not claimed. Where the chain is ahead of the market, the chain's word counts: a leaf that it shows
 * settled no more, and one of the epochs `finals`, which are final on it, as final.
 */
export function foldPending(log: EventLog, word: MarketWord | null, finals: ReadonlySet<bigint>) {
  const sums = {
    accepted: BigInt(word?.acceptedWei ?? 0),
    posted: BigInt(word?.postedWei ?? 0),
    due: BigInt(word?.finalWei ?? 0),
  };
  const settled = settledLeaves(log);
  const items: Item[] = [];
  for (const leaf of word?.leaves ?? []) {
    if (leaf.state !== "committed" || TAKEN_BACK.has(leaf.epochState)) continue;
    const counted = leaf.epochState === "final" ? "due" : "posted";
    const part = finals.has(BigInt(leaf.epoch)) ? "due" : counted;
    const wei = BigInt(leaf.amountWei);
    const isSettled = settled.has(keyOf(BigInt(leaf.epoch), leaf.receiptDigest));
    if (isSettled || part !== counted) sums[counted] = atLeastNone(sums[counted] - wei);
    if (isSettled) continue;
    if (part !== counted) sums[part] += wei;
    items.push(pendingItem(leaf, part, wei));
  }
  return { sums, items };
}

const TAKEN_BACK: ReadonlySet<string> = new Set(["void", "failed"]);
/** An amount, or nothing where it would be less. */
export const atLeastNone = (wei: bigint) => (wei > 0n ? wei : 0n);
const keyOf = (epoch: bigint, digest: string) => `${epoch} ${digest}`;

const pendingItem = (leaf: Leaf, part: "due" | "posted", wei: bigint): Item => ({
  kind: part === "due" ? "due" : "pending",
  device: leaf.device as Address,
  wei,
  tx: leaf.postTx as Hex | null,
  epoch: BigInt(leaf.epoch),
  note: part === "due" ? dueNote(leaf) : `posted, ${leaf.epochState}`,
});

function dueNote({ epochState, attested }: Leaf): string {
  if (epochState !== "final") return "final, which the market has not seen yet";
  return attested ? "final, can be claimed" : "final, not attested";
}

/** Epoch and receipt of every leaf that was claimed or voided. */
export function settledLeaves(log: EventLog): Set<string> {
  const ended = [...log.named("EpochLedger", "Claimed"), ...log.named("EpochLedger", "LeafVoided")];
  return new Set(ended.map(({ args }) => keyOf(args.epochId, args.receiptDigest)));
}
