import { expect, test } from "vitest";
import { amountOrReason, effectOf, explainChange, ladderOf, stakeRefusal, targetStake, unbondingAt } from "./stake";

const TASK = 10n ** 16n;
const MANY = 10n ** 18n;

test("effect_below_the_minimum_is_that_of_no_stake", () => {
  expect(effectOf(9n * TASK, TASK, 10n * TASK)).toEqual({
    stake: 9n * TASK,
    replayedPpm: 1_000_000,
    deductedPpm: 500_000,
  });
});
test("effect_at_300_task_prices_is_a_rate_of_1_5_percent", () => {
  expect(effectOf(300n * TASK, TASK, 10n * TASK)).toMatchObject({ replayedPpm: 14_815, deductedPpm: 7_407 });
});
test("effect_of_much_stake_is_held_up_by_the_floor_but_costs_no_pay_for_it", () => {
  expect(effectOf(3000n * TASK, TASK, 0n)).toMatchObject({ replayedPpm: 10_000, deductedPpm: 741 });
});
test("ladder_leaves_out_stakes_that_count_as_none", () => {
  expect(ladderOf(TASK, 10n * TASK).map((step) => step.stake / TASK)).toEqual([0n, 20n, 100n, 300n, 1000n]);
});
test("explainChange_without_a_task_says_that_the_price_is_not_known", () => {
  expect(explainChange(0n, MANY, 0n, 0n)).toHaveLength(1);
});
test("explainChange_warns_of_a_stake_below_the_minimum_and_not_of_none", () => {
  expect(explainChange(0n, 5n * TASK, TASK, 10n * TASK).at(-1)).toBe("A stake below 0.1 MANY counts as none.");
  expect(explainChange(5n * TASK, 0n, TASK, 10n * TASK).at(-1)).toBe(
    "Pay is bonded until the stake is 300 task prices: 3 MANY.",
  );
});
test("targetStake_is_300_task_prices", () => expect(targetStake(TASK)).toBe(3n * MANY));
test("unbonding_counts_down_to_its_second", () => {
  expect(unbondingAt(0n, 100, 50)).toBeNull();
  expect(unbondingAt(MANY, 160, 99)?.text).toBe("1 MANY unbonding, still at risk, 1 min 1 s left");
  expect(unbondingAt(MANY, 160, 159)).toMatchObject({ isOver: false });
  expect(unbondingAt(MANY, 160, 160)).toMatchObject({ isOver: true, text: "1 MANY can be taken out" });
});
test("stakeRefusal_of_convicted_and_accused_devices", () => {
  expect(stakeRefusal({ convicted: true, openGames: 0 })).toMatch("convicted");
  expect(stakeRefusal({ convicted: false, openGames: 1 })).toMatch("challenge");
  expect(stakeRefusal({ convicted: false, openGames: 0 })).toBeNull();
});
test.each(["", ".", "1e3", "-1", "1,5", "0x1", "1.0000000000000000001"])("amount_%j_is_refused", (text) =>
  expect(amountOrReason(text, 10n * MANY, "what you have")).toHaveProperty("reason"),
);
test("amount_is_exact_and_bounded", () => {
  expect(amountOrReason(" 1.000000000000000001 ", 10n * MANY, "x")).toEqual({ wei: MANY + 1n });
  expect(amountOrReason(".5", 10n * MANY, "x")).toEqual({ wei: MANY / 2n });
  expect(amountOrReason("0", 10n * MANY, "x")).toHaveProperty("reason");
  expect(amountOrReason("10.1", 10n * MANY, "your wallet holds")).toEqual({
    reason: "That is more than your wallet holds: 10 MANY.",
  });
});
