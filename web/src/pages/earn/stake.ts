import { BONDED_TASKS, pPpm } from "../../protocol";
import { duration, percent, tokens } from "../../ui/numbers";
import { weiOf } from "../../ui/numbers";

/** The least rate that a bid may ask for, ppm. */
export const RATE_FLOOR_PPM = 10_000;

/** What a stake of so many wei does to tasks of one price: the share replayed, and that of the pay that it costs, ppm. */
export type Effect = { stake: bigint; replayedPpm: number; deductedPpm: number };

/** The rule of the draw for a stake; below the minimum it counts as none. */
export function effectOf(stake: bigint, taskPrice: bigint, minimum: bigint): Effect {
  const counted = stake >= minimum ? stake : 0n;
  const byRule = pPpm(taskPrice, counted, 0);
  return { stake, replayedPpm: Math.max(RATE_FLOOR_PPM, byRule), deductedPpm: Math.floor(byRule / 2) };
}

/** The stake from which on no pay is bonded any more. */
export const targetStake = (taskPrice: bigint): bigint => BigInt(BONDED_TASKS) * taskPrice;

/** Stakes worth a line in the table of what stake buys, in task prices. */
const STEPS = [0n, 5n, 20n, 100n, 300n, 1000n];

/** What stake buys, from nothing to more than the target; without what now counts as none, but for the first line. */
export const ladderOf = (taskPrice: bigint, minimum: bigint): Effect[] =>
  STEPS.map((step) => effectOf(step * taskPrice, taskPrice, minimum)).filter(
    (effect) => effect.stake === 0n || effect.stake >= minimum,
  );

/** One line about a stake: "At a stake of 3 MANY, 1.5 % of ...". */
export const effectText = ({ stake, replayedPpm, deductedPpm }: Effect): string =>
  `At a stake of ${tokens(stake)} MANY, ${percent(replayedPpm)} of such tasks are replayed, and ${percent(deductedPpm)} of ` +
  "the pay goes to those who replay them.";

/** What changes when a device's stake goes from `now` to `after`, line by line; task price 0: not known yet. */
export function explainChange(now: bigint, after: bigint, taskPrice: bigint, minimum: bigint): string[] {
  if (taskPrice === 0n)
    return [
      "This device has no accepted task yet, so its average task price is not known. At 300 task prices of stake 1.5 % of " +
        "its tasks are replayed, at 100 it is 4.4 %, below 4.5 every one.",
    ];
  const lines = [
    `An average task of this device is worth ${tokens(taskPrice)} MANY.`,
    effectText(effectOf(now, taskPrice, minimum)),
    effectText(effectOf(after, taskPrice, minimum)),
    `Pay is bonded until the stake is ${BONDED_TASKS} task prices: ${tokens(targetStake(taskPrice))} MANY.`,
  ];
  return after > 0n && after < minimum ? [...lines, `A stake below ${tokens(minimum)} MANY counts as none.`] : lines;
}

/** Stake on its way back: how much, when it is over (Unix seconds), and whether that is now. Null: nothing is. */
export type Unbonding = { wei: bigint; overAt: number; isOver: boolean; text: string };

/** The countdown of a device's unbonding at a time of the chain (Unix seconds). */
export function unbondingAt(wei: bigint, overAt: number, now: number): Unbonding | null {
  if (wei === 0n) return null;
  const isOver = now >= overAt;
  const text = isOver
    ? `${tokens(wei)} MANY can be taken out`
    : `${tokens(wei)} MANY unbonding, still at risk, ${duration(overAt - now)} left`;
  return { wei, overAt, isOver, text };
}

/** Why stake or unstake cannot be: said instead of the form. */
export function stakeRefusal(device: { convicted: boolean; openGames: number }): string | null {
  if (device.convicted) return "This device was convicted: its stake is gone, and no stake brings it back.";
  if (device.openGames > 0)
    return "A challenge against this device is open: nothing can be taken out until it is decided.";
  return null;
}

/** The wei of "12.5" tokens, or why they cannot be moved: not an amount, none, or more than `most`. */
export function amountOrReason(text: string, most: bigint, mostIs: string): { wei: bigint } | { reason: string } {
  const wei = weiOf(text);
  if (wei === null) return { reason: "An amount like 12.5, with at most 18 decimals." };
  if (wei === 0n) return { reason: "More than nothing." };
  if (wei > most) return { reason: `That is more than ${mostIs}: ${tokens(most, 18)} MANY.` };
  return { wei };
}
