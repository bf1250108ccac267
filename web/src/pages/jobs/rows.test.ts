import { expect, test } from "vitest";
import type { Schema } from "../../api/client";
import { doneText, isAllFinal, spentOf } from "./rows";

type Change = { state?: string; refunded?: string | null; tasks?: Partial<Schema<"TaskCounts">> };
const NONE = { open: 0, leased: 0, accepted: 0, committed: 0, final: 0, voided: 0, attested: 0 };
const job = ({ tasks, ...change }: Change) =>
  ({
    state: "open",
    refunded: null,
    bid: { taskCount: 1_797, budget: "100" },
    ...change,
    tasks: { ...NONE, ...tasks },
  }) as unknown as Schema<"JobBody">;

test("spentOf an open job is not known", () => {
  expect(spentOf(job({}))).toBeNull();
});

test("spentOf a refused job is nothing and of a closed one what did not come back", () => {
  expect(spentOf(job({ state: "refused" }))).toBe(0n);
  expect(spentOf(job({ state: "closed", refunded: "40" }))).toBe(60n);
});

test("doneText counts what is delivered beside what is final", () => {
  expect(doneText(job({ tasks: { final: 12, accepted: 1_000, committed: 3 } }))).toBe(
    "12 of 1,797 final, 1,003 delivered",
  );
  expect(doneText(job({}))).toBe("0 of 1,797 final");
});

test("isAllFinal only when every task is", () => {
  expect(isAllFinal(job({ tasks: { final: 1_796 } }))).toBe(false);
  expect(isAllFinal(job({ tasks: { final: 1_797 } }))).toBe(true);
});
