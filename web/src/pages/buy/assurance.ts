import { missProbability, PPM, RATE_FLOOR_MIN_PPM } from "../../protocol";
import { payOf, type Quote, taskPriceOf } from "./quote";

/** The draw rule's constants (docs/protocol.md, section 6): 40/9 of price over stake; detection 0.9, a quarter recoverable. */
const RULE_NUMERATOR = 40_000_000n;
const RULE_DENOMINATOR = 9n;
const LOSS_PER_THOUSAND = 675n;

/** Positions of the dial, ppm. */
export const DIAL_PPM: readonly number[] = [
  RATE_FLOOR_MIN_PPM,
  20_000,
  50_000,
  100_000,
  200_000,
  350_000,
  500_000,
  750_000,
  PPM,
];

/** The nearest position of the dial. */
export function dialPosition(floorPpm: number): number {
  const distances = DIAL_PPM.map((ppm) => Math.abs(ppm - floorPpm));
  return distances.indexOf(Math.min(...distances));
}

/** The chance that `wrong` wrong results all escape when each task is replayed with this chance: (1 - p)^wrong. */
export const escapeChance = (ratePpm: number, wrong: number): number =>
  missProbability(Array.from({ length: wrong }, () => ratePpm));

/** Numbers of wrong results for which the chance is shown. */
export const wrongCounts = (tasks: number): number[] => [...new Set([1, Math.min(10, tasks), Math.min(100, tasks)])];

/** The expected share of the work that is replayed at a floor, in ppm: the draw rule's where that is more. */
export const replayedAt = (quote: Quote, floorPpm: number): number =>
  floorPpm === quote.floorPpm || quote.replayedPpm > quote.floorPpm ? Math.max(quote.replayedPpm, floorPpm) : floorPpm;

/** What the buyer pays for a floor above the rule, in wei: the quote's own, or worked out for another floor. */
export function surchargeAt(quote: Quote, floorPpm: number): bigint {
  if (floorPpm === quote.floorPpm) return quote.surcharge;
  const pay = payOf(quote);
  const pivot = Math.max(quote.replayedPpm, quote.floorPpm);
  const more = floorPpm > pivot ? (pay * BigInt(floorPpm - pivot)) / BigInt(2 * PPM) : 0n;
  const less = floorPpm < quote.floorPpm ? (pay * BigInt(quote.floorPpm - floorPpm)) / BigInt(2 * PPM) : 0n;
  const found = quote.surcharge + more - less;
  return found > 0n ? found : 0n;
}

/**
 * What a wrong result costs who sends it, in wei. `stake` is what an average device of the quote has at stake, at
 * least; `perResult` what one wrong result costs it on average; `timesPay` that over the pay of the task.
 */
export type CheatCost = { stake: bigint; perResult: bigint; timesPay: number };

/** The cost of a lie at a floor, where devices must have `minStake` wei (0 where the buyer asks for none). */
export function cheatCost(quote: Quote, floorPpm: number, minStake: bigint): CheatCost {
  const price = taskPriceOf(quote);
  const implied = (RULE_NUMERATOR * price) / (RULE_DENOMINATOR * BigInt(Math.max(1, quote.replayedPpm)));
  const stake = implied > minStake ? implied : minStake;
  const rate = replayedAt(quote, floorPpm);
  const perResult = (stake * BigInt(rate) * LOSS_PER_THOUSAND) / BigInt(PPM * 1000);
  return { stake, perResult, timesPay: price > 0n ? Number((perResult * 100n) / price) / 100 : 0 };
}
