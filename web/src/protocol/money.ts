/** The money of a leaf: fee, debit, deduction, surcharge, bonding, and what a claim refuses (section 5). All in wei. */
import { UINT128_MAX, checkBigUint } from "./encoding.ts";
import { MoneyInvalid } from "./errors.ts";
import type { Bid, Receipt } from "./messages.ts";

export const PPM = 1_000_000;
export const WU_PER_GWU = 10n ** 9n;
/** The target stake of a device, in average task prices. */
export const BONDED_TASKS = 300n;

const PPM_BIG = BigInt(PPM);

/** Where a leaf's debit goes, in wei; `rulePpm` is the expected share of its work that the rule has replayed. */
export interface LeafMoney {
  readonly amount: bigint;
  readonly fee: bigint;
  readonly debit: bigint;
  readonly rulePpm: number;
  readonly deduction: bigint;
  readonly surcharge: bigint;
  readonly bonded: bigint;
  /** Shared by the seats that attested the leaf. */
  readonly verification: bigint;
  /** To the device's owner, `bonded` of it to the device's stake. */
  readonly net: bigint;
  /** What the owner is credited now. */
  readonly paid: bigint;
  /** What the buyer pays; the rest of the debit goes back to the job. */
  readonly spent: bigint;
  readonly returned: bigint;
}

/** The quotient of two unsigned numbers, rounded up. */
export function ceilDiv(value: bigint, divisor: bigint): bigint {
  return (value + divisor - 1n) / divisor;
}

/** Pay for work, rounded down; MoneyInvalid if it leaves uint128. */
export function amountOf(totalWU: bigint, priceWeiPerGWU: bigint): bigint {
  const amount = (totalWU * priceWeiPerGWU) / WU_PER_GWU;
  if (amount > UINT128_MAX) throw new MoneyInvalid("the amount leaves uint128");
  return amount;
}

/** The settler's fee, rounded down. */
export function feeOf(amount: bigint, feePpm: number): bigint {
  return (amount * BigInt(feePpm)) / PPM_BIG;
}

/** The most that a leaf can cost its job: its sum in the receipt tree. MoneyInvalid if it leaves uint128. */
export function debitOf(amount: bigint, feePpm: number, rateFloorPpm: number): bigint {
  const debit = amount + feeOf(amount, feePpm) + (amount * BigInt(rateFloorPpm)) / (2n * PPM_BIG);
  if (debit > UINT128_MAX) throw new MoneyInvalid("the debit leaves uint128");
  return debit;
}

/** The expected share of the leaf's work that the draw rule replays, rounded up, in ppm; `totalWU` is not 0. */
export function rulePpm(amount: bigint, totalWU: bigint, totalSquaredWU: bigint, stake: bigint): number {
  if (stake === 0n) return PPM;
  const found = ceilDiv(40n * PPM_BIG * amount * totalSquaredWU, 9n * stake * totalWU ** 2n);
  return found < PPM_BIG ? Number(found) : PPM;
}

/**
 * The money of an attested leaf.
 *
 * `stakeThen` is the device's stake at the block of the posting (unbonding counted as zero), `stakeNow` that at the
 * claim. MoneyInvalid if the receipt has no work or leaves uint128.
 */
export function leafMoney(receipt: Receipt, bid: Bid, feePpm: number, stakeThen: bigint, stakeNow: bigint): LeafMoney {
  if (receipt.count === 0 || receipt.totalWU === 0n) throw new MoneyInvalid("a receipt without work");
  const { amount } = receipt;
  const floor = bid.rateFloorPpm;
  const rule = rulePpm(amount, receipt.totalWU, receipt.totalSquaredWU, stakeThen);
  const fee = feeOf(amount, feePpm);
  const debit = debitOf(amount, feePpm, floor);
  const deduction = (amount * BigInt(rule)) / (2n * PPM_BIG);
  const surcharge = (amount * BigInt(Math.max(0, floor - rule))) / (2n * PPM_BIG);
  const net = amount - deduction;
  const missing = BONDED_TASKS * (amount / BigInt(receipt.count)) - stakeNow;
  const bonded = missing <= 0n ? 0n : missing < net ? missing : net;
  const spent = amount + fee + surcharge;
  return {
    ...{ amount, fee, debit, rulePpm: rule, deduction, surcharge, bonded },
    verification: deduction + surcharge,
    net,
    paid: net - bonded,
    spent,
    returned: debit - spent,
  };
}

/** An amount in as equal parts as wei allow, the first seats getting one wei more. */
export function sharesOf(amount: bigint, seats: number): bigint[] {
  if (seats < 1) throw new MoneyInvalid("no seats to share among");
  const part = checkBigUint(amount, 128, "amount") / BigInt(seats);
  const rest = amount % BigInt(seats);
  return Array.from({ length: seats }, (_, seat) => part + (BigInt(seat) < rest ? 1n : 0n));
}

/** The WU that a leaf is expected to have replayed, rounded up. */
export function replayWU(totalWU: bigint, rule: number, rateFloorPpm: number): bigint {
  return ceilDiv(totalWU * BigInt(Math.max(rule, rateFloorPpm)), PPM_BIG);
}

/** MoneyInvalid unless a claim accepts the receipt's amount, WU and count under the bid, whatever the stake. */
export function checkReceipt(receipt: Receipt, bid: Bid): void {
  const { totalWU: wu, totalSquaredWU: squared } = receipt;
  const count = BigInt(receipt.count);
  if (count === 0n) throw new MoneyInvalid("count is 0");
  if (receipt.amount * WU_PER_GWU > wu * bid.maxPriceWeiPerGWU) {
    throw new MoneyInvalid("the amount is above the bid's maximum price");
  }
  if (wu > count * bid.taskLimitWU) throw new MoneyInvalid("totalWU is above the tasks' limit");
  if (wu ** 2n > count * squared || squared > wu * bid.taskLimitWU) {
    throw new MoneyInvalid("totalSquaredWU does not belong to totalWU");
  }
}

/** MoneyInvalid if the leaf's expected replay is above what can be claimed, `maxReplayWU`. */
export function checkReplay(receipt: Receipt, bid: Bid, stakeThen: bigint, maxReplayWU: bigint): void {
  const rule = rulePpm(receipt.amount, receipt.totalWU, receipt.totalSquaredWU, stakeThen);
  const expected = replayWU(receipt.totalWU, rule, bid.rateFloorPpm);
  if (expected > maxReplayWU) throw new MoneyInvalid(`an expected replay of ${expected} WU, above ${maxReplayWU}`);
}
