import { expect, test } from "vitest";
import type { Schema } from "../../api/client";
import { cheatCost, dialPosition, DIAL_PPM, escapeChance, replayedAt, surchargeAt, wrongCounts } from "./assurance";
import { bidOf } from "./bid";
import { capAt, capStanding, missingDeposit, payOf, quoteOf, reserveOfSpan, taskPriceOf } from "./quote";
import { DEFAULT_TERMS, isTooSoon } from "./terms";

/** 100 tasks of 1,000,000 WU in spans of 16 at 10^15 wei a GWU: 10^12 wei for a task. */
const BODY: Schema<"QuoteBody"> = {
  tasks: 100,
  wuPerTask: { min: "900000", mean: "1000000", max: "1100000" },
  sampled: 8,
  taskLimitWU: "2200000",
  spanTasks: 16,
  priceWeiPerGWU: "1000000000000000",
  priceRange: { low: "500000000000000", high: "1000000000000000" },
  feePpm: 20_000,
  cap: "252560000000021",
  expectedCost: "102100000000000",
  fees: "2000000000000",
  verification: { surcharge: "100000000000", deduction: "500000000000", replayedPpm: 10_000 },
  capacity: { devices: 3, wuPerSecond: 1e9 },
  expectedSeconds: 2,
  attestedSeconds: 40,
  finalSeconds: 50,
  drivers: ["because"],
};
const QUOTE = quoteOf(BODY, 10_000);
const RULED = quoteOf({ ...BODY, verification: { ...BODY.verification, replayedPpm: 44_445, surcharge: "0" } }, 10_000);

test("capStanding below one span says that nothing can be leased", () => {
  expect(capStanding(QUOTE, 10_000, reserveOfSpan(QUOTE, 10_000) - 1n)).toEqual({ kind: "nothing", tasks: 0 });
});

test("capStanding below the cap says how many tasks are sure", () => {
  expect(capStanding(QUOTE, 10_000, reserveOfSpan(QUOTE, 10_000) * 2n)).toEqual({ kind: "part", tasks: 32 });
  expect(capStanding(QUOTE, 10_000, capAt(QUOTE, 10_000) - 1n).kind).toBe("part");
});

test("capStanding at the cap covers everything, and no more once the floor rises", () => {
  const cap = capAt(QUOTE, 10_000);
  expect(capStanding(QUOTE, 10_000, cap)).toEqual({ kind: "covers", tasks: 100 });
  expect(capStanding(QUOTE, 1_000_000, cap).kind).toBe("part");
});

test("capAt works out the market's cap: full spans at their limit, fee, surcharge, rounding", () => {
  // 7 spans x 16 x 2.2 MWU x 10^15 / 10^9 = 246.4 x 10^12; 2 % fee, 0.5 % of surcharge, 3 wei for each span.
  expect(capAt(QUOTE, 10_000)).toBe(246_400_000_000_000n + 4_928_000_000_000n + 1_232_000_000_000n + 21n);
  expect(capAt(QUOTE, QUOTE.floorPpm)).toBe(QUOTE.cap);
});

test("missingDeposit is what the escrow lacks and never negative", () => {
  expect(missingDeposit(10n, 4n)).toBe(6n);
  expect(missingDeposit(10n, 11n)).toBe(0n);
});

test("escapeChance is (1 - p) to the k", () => {
  expect(escapeChance(10_000, 1)).toBeCloseTo(0.99, 12);
  expect(escapeChance(10_000, 100)).toBeCloseTo(0.99 ** 100, 12);
  expect(escapeChance(1_000_000, 1)).toBe(0);
});

test("surchargeAt gives the quote's own at its floor and half the pay at every task", () => {
  expect(surchargeAt(QUOTE, 10_000)).toBe(QUOTE.surcharge);
  const pay = payOf(QUOTE);
  expect(surchargeAt(QUOTE, 1_000_000)).toBe(QUOTE.surcharge + (pay * 990_000n) / 2_000_000n);
});

test("surchargeAt below what the stakes ask for anyway is nothing", () => {
  expect(surchargeAt(RULED, 40_000)).toBe(0n);
  expect(surchargeAt(RULED, 144_445)).toBe((payOf(RULED) * 100_000n) / 2_000_000n);
});

test("replayedAt is the rule's share where that is above the floor", () => {
  expect(replayedAt(RULED, 20_000)).toBe(44_445);
  expect(replayedAt(RULED, 100_000)).toBe(100_000);
  expect(replayedAt(QUOTE, 100_000)).toBe(100_000);
});

test("cheatCost under the rule is three times the pay, whatever the stake", () => {
  const cost = cheatCost(RULED, 10_000, 0n);
  expect(cost.stake / taskPriceOf(RULED)).toBe(99n);
  expect(cost.timesPay).toBeCloseTo(3, 1);
});

test("cheatCost grows with the floor and with the stake that is asked for", () => {
  const floor = cheatCost(RULED, 10_000, 0n);
  expect(cheatCost(RULED, 444_450, 0n).timesPay).toBeCloseTo(10 * floor.timesPay, 0);
  expect(cheatCost(RULED, 10_000, 300n * taskPriceOf(RULED)).stake).toBe(300n * taskPriceOf(RULED));
});

test("dialPosition finds the nearest position", () => {
  expect(DIAL_PPM[dialPosition(10_000)]).toBe(10_000);
  expect(DIAL_PPM[dialPosition(990_000)]).toBe(1_000_000);
});

test("isTooSoon compares work with the deadline", () => {
  expect(isTooSoon(QUOTE, 1)).toBe(true);
  expect(isTooSoon(QUOTE, 3_600)).toBe(false);
});

const HASH = `0x${"11".repeat(32)}` as const;
const PARTS = {
  buyer: "0x00000000000000000000000000000000000000aa",
  program: HASH,
  inputs: { manifest: HASH, inputsRoot: HASH, tasks: 100, bytes: 6_400 },
  quote: QUOTE,
  cap: 7n,
  terms: DEFAULT_TERMS,
  now: 1_700_000_000,
  salt: HASH,
} as const;

test("bidOf with a floor below 1 % is refused", () => {
  expect(() => bidOf({ ...PARTS, terms: { ...DEFAULT_TERMS, floorPpm: 9_999 } })).toThrow();
});

test("bidOf takes the quote's terms and the buyer's own", () => {
  const bid = bidOf({ ...PARTS, terms: { budget: 5n, floorPpm: 100_000, minStake: 9n, deadlineSeconds: 60 } });
  expect(bid).toMatchObject({
    budget: 5n,
    rateFloorPpm: 100_000,
    minStake: 9n,
    deadline: 1_700_000_060,
    taskCount: 100,
    spanTasks: 16,
    taskLimitWU: 2_200_000n,
    maxPriceWeiPerGWU: 10n ** 15n,
    maxFeePpm: 20_000,
  });
  expect(bidOf(PARTS).budget).toBe(7n);
});

test("wrongCounts never has more wrong results than tasks, nor one twice", () => {
  expect(wrongCounts(1)).toEqual([1]);
  expect(wrongCounts(8)).toEqual([1, 8]);
  expect(wrongCounts(5_000)).toEqual([1, 10, 100]);
});
