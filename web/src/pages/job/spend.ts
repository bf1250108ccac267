import type { Schema } from "../../api/client";
import { debitOf } from "../../protocol";

/** Where a job's budget is, in wei: paid out, held by what is posted, back with the buyer, and free. */
export type Spend = { budget: bigint; spent: bigint; held: bigint; refunded: bigint; free: bigint };

/** The spend that the itemised receipt tells. `held` is the most that posted and unpaid leaves may cost. */
export function spendOf(bill: Schema<"Bill">, feePpm: number, floorPpm: number): Spend {
  const budget = BigInt(bill.budget);
  const spent = BigInt(bill.spent);
  const refunded = bill.refunded === null ? 0n : BigInt(bill.refunded);
  const held = bill.items
    .filter((item) => item.state === "committed")
    .reduce((sum, item) => sum + debitOf(BigInt(item.amount), feePpm, floorPpm), 0n);
  const left = budget - spent - held - refunded;
  return { budget, spent, held, refunded, free: left > 0n ? left : 0n };
}

/** A share of a whole, 0 to 1. */
export const shareOf = (part: bigint, whole: bigint): number =>
  whole > 0n ? Number((part * 10_000n) / whole) / 10_000 : 0;
