import { expect, test, vi } from "vitest";
import { headOf, marketLag } from "./lag";
import { keepSession, keptSession } from "./session";
import { type Connection, WalletStore } from "./store";

const CHAIN = 31337;
const ALICE = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const BOB = "0x1563915e194D8CfBA1943570603F7606A3115508";
const SESSION = { address: ALICE, token: "t", expiresAt: 4_000_000_000 } as const;

const connected = (address: typeof ALICE | typeof BOB, chainId = CHAIN): Connection => ({
  status: "connected",
  address,
  chainId,
  wallet: "Test",
});

function memory(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    clear: () => kept.clear(),
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

function storeOf(first: Connection = connected(ALICE)) {
  const store = new WalletStore<never>(memory(), true);
  store.connection(first, CHAIN);
  return store;
}

const never = () => new Promise<never>(() => undefined);

test("begin without an account is refused", () => {
  expect(() => storeOf({ status: "disconnected" }).begin()).toThrow("not-connected");
  expect(() => storeOf({ status: "connecting" }).begin()).toThrow("not-connected");
});

test("begin on another network is refused", () => {
  expect(() => storeOf(connected(ALICE, 1)).begin()).toThrow("wrong-network");
});

test.each([
  ["account-switched", connected(BOB)],
  ["network-switched", connected(ALICE, 1)],
  ["disconnected", { status: "disconnected" } as const],
])("what the wallet is asked fails at once with %s", async (problem, next) => {
  const store = storeOf();
  const flow = store.begin();
  const asked = flow.during(never());
  store.connection(next, CHAIN);
  await expect(asked).rejects.toMatchObject({ problem });
  expect(() => flow.check()).toThrow(problem);
  await expect(flow.during(Promise.resolve(1))).rejects.toMatchObject({ problem });
});

test("what the wallet is asked goes on where nothing changed for it", async () => {
  const store = storeOf();
  const flow = store.begin();
  let answer: (value: number) => void = () => undefined;
  const asked = flow.during(new Promise<number>((resolve) => (answer = resolve)));
  store.connection(connected(ALICE), CHAIN);
  answer(7);
  expect(await asked).toBe(7);
});

test("a late answer of a stopped flow disturbs nobody", async () => {
  const store = storeOf();
  let fail: (error: Error) => void = () => undefined;
  const asked = store.begin().during(new Promise<never>((_resolve, reject) => (fail = reject)));
  store.connection(connected(BOB), CHAIN);
  await expect(asked).rejects.toMatchObject({ problem: "account-switched" });
  fail(new Error("too late"));
});

test("a session ends with its account", () => {
  const store = storeOf();
  store.session(SESSION);
  store.connection(connected(ALICE, 1), CHAIN);
  expect(store.snapshot().session).toEqual(SESSION);
  store.connection(connected(BOB), CHAIN);
  expect(store.snapshot().session).toBeNull();
  expect(keptSession(store.kept)).toBeNull();
});

test("a session outlives a reload, until the account is found to be another", () => {
  const kept = memory();
  keepSession(kept, SESSION);
  const store = new WalletStore<never>(kept, true);
  expect(store.snapshot().session).toEqual(SESSION);
  store.connection({ status: "connecting" }, CHAIN);
  expect(store.snapshot().session).toEqual(SESSION);
  store.connection({ status: "disconnected" }, CHAIN);
  expect(store.snapshot().session).toBeNull();
});

test("keptSession that is over or unreadable is none, and is taken away", () => {
  for (const text of ['{"address":"0x1","token":"t","expiresAt":10}', "{", "null", "3"]) {
    const kept = memory();
    kept.setItem("multitude.session", text);
    expect(keptSession(kept, 20_000)).toBeNull();
    expect(kept.length).toBe(0);
  }
});

test("marketLag says so beyond the confirmations and a few blocks", () => {
  expect(marketLag(100n, 112n, 2)).toBeNull();
  expect(marketLag(100n, 113n, 2)).toMatchObject({ problem: "market-behind" });
  expect(marketLag(100n, 90n, 2)).toBeNull();
});

test.each([
  ["is away", () => Promise.reject(new TypeError("Failed to fetch"))],
  ["answers a page", () => Promise.resolve(new Response("<html>"))],
  ["answers an error", () => Promise.resolve(new Response('{"error":{"code":-32000}}'))],
])("headOf an RPC that %s says that the chain does not answer", async (_name, fetch) => {
  vi.stubGlobal("fetch", fetch);
  await expect(headOf("http://127.0.0.1:1")).rejects.toMatchObject({ problem: "rpc-down" });
  vi.unstubAllGlobals();
});

test("headOf an RPC is its newest block", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(new Response('{"jsonrpc":"2.0","id":1,"result":"0x1f"}')));
  expect(await headOf("http://127.0.0.1:1")).toBe(31n);
  vi.unstubAllGlobals();
});
