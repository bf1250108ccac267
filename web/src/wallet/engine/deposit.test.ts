import { beforeEach, expect, test, vi } from "vitest";

vi.hoisted(() => {
  vi.stubGlobal("location", new URL("http://localhost"));
  vi.stubGlobal("window", new EventTarget());
});

import type { Report } from "../store";
import { deposit } from "./deposit";
import { FakeChain } from "./fakeChain";

let chain: FakeChain;
let told: string[];

const report: Report = (state) => {
  told.push(state.step === "sent" ? `${state.what}: ${state.confirmations}/${state.needed}` : state.what);
};

async function depositing(amount: bigint) {
  const { parts, store, switchAccount } = await chain.start();
  return { done: deposit(parts, store.begin(), amount, report), switchAccount };
}

beforeEach(() => {
  chain = new FakeChain();
  told = [];
});

test("a deposit of more than the wallet holds is refused before anything is asked", async () => {
  chain.signs = () => Promise.reject(new Error("asked"));
  const { done } = await depositing(101n);
  await expect(done).rejects.toMatchObject({ problem: "no-tokens" });
  expect(chain.sent).toEqual([]);
});

test("a permit that the person rejects ends the deposit", async () => {
  chain.signs = () => Promise.reject(Object.assign(new Error("User rejected"), { code: 4001 }));
  const { done } = await depositing(5n);
  await expect(done).rejects.toMatchObject({ name: "UserRejectedRequestError" });
  expect(chain.sent).toEqual([]);
});

test("an account that cannot pay the fee is told so before the wallet is asked to send", async () => {
  chain.coin = 1n;
  const { done } = await depositing(5n);
  await expect(done).rejects.toMatchObject({ problem: "no-coin" });
  expect(chain.sent).toEqual([]);
});

test("a permit deposits in one transaction, followed until it is deep enough", async () => {
  const { done } = await depositing(5n);
  expect((await done).status).toBe("success");
  expect(chain.sent).toEqual(["depositWithPermit"]);
  expect(chain.deposited).toBe(5n);
  expect(told.at(-1)).toMatch(/2\/2$/);
});

test("an allowance that covers the deposit needs no permit", async () => {
  chain.allowance = 5n;
  chain.signs = () => Promise.reject(new Error("asked"));
  await (
    await depositing(5n)
  ).done;
  expect(chain.sent).toEqual(["deposit"]);
});

test.each([
  ["cannot sign typed data", () => Promise.reject(Object.assign(new Error("no"), { code: 4200 }))],
  ["does not know the method", () => Promise.reject(Object.assign(new Error("no"), { code: -32601 }))],
  ["is a contract and answers another signature", () => Promise.resolve(`0x${"ab".repeat(200)}` as const)],
  ["signs with another key", () => Promise.resolve(`0x${"11".repeat(64)}1b` as const)],
])("a wallet that %s approves and deposits", async (_name, signs) => {
  chain.signs = signs;
  await (
    await depositing(5n)
  ).done;
  expect(chain.sent).toEqual(["approve", "deposit"]);
  expect(told.some((what) => what.startsWith("Step 1 of 2"))).toBe(true);
  expect(chain.deposited).toBe(5n);
});

test("a permit that is refused in simulation falls back to approve and deposit", async () => {
  chain.permitIsUsed = true;
  await (
    await depositing(5n)
  ).done;
  expect(chain.sent).toEqual(["approve", "deposit"]);
});

test("a permit that is used by somebody else while it waits falls back, too", async () => {
  chain.revertsMined = true;
  await (
    await depositing(5n)
  ).done;
  expect(chain.sent).toEqual(["depositWithPermit", "approve", "deposit"]);
  expect(chain.deposited).toBe(5n);
});

test("an account switched between the two steps stops before the second", async () => {
  chain.permitIsUsed = true;
  const { done, switchAccount } = await depositing(5n);
  chain.reads = switchAccount;
  await expect(done).rejects.toMatchObject({ problem: "account-switched" });
  expect(chain.sent).toEqual(["approve"]);
  expect(chain.deposited).toBe(0n);
});

test("an account switched while the wallet asks stops at once", async () => {
  chain.signs = () => new Promise(() => undefined);
  const { done, switchAccount } = await depositing(5n);
  setTimeout(switchAccount);
  await expect(done).rejects.toMatchObject({ problem: "account-switched" });
});

test("an RPC that is down says so", async () => {
  const { parts, store } = await chain.start();
  chain.down = true;
  await expect(deposit(parts, store.begin(), 5n, report)).rejects.toThrow(/fetch failed/);
});
