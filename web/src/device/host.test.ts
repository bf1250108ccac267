import "fake-indexeddb/auto";

import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, expect, test } from "vitest";

import { Binding } from "../protocol/index.ts";
import { ChainUnusable, MarketRefused, MarketUnreachable } from "./errors.ts";
import { StorageUnusable } from "../storage/store.ts";
import { openDeviceStore } from "./journal.ts";
import { ADDRESSES, DOMAIN, FakeChain, FakeClock, FakeMarket, FakeRunner, KEYS } from "./fakes.ts";
import { DeviceHost } from "./host.ts";
import type { DeviceSnapshot, DeviceState } from "./snapshot.ts";

/** A lock manager of one name, as a browser has it for all its tabs. */
class FakeLocks {
  #tail: Promise<unknown> = Promise.resolve();
  #held = 0;

  readonly request = (async (
    _name: string,
    options: LockOptions,
    hold: (lock: Lock | null) => Promise<unknown>,
  ): Promise<unknown> => {
    if (options.ifAvailable && this.#held) return hold(null);
    const before = this.#tail;
    this.#held += 1;
    const mine = (async () => {
      await Promise.race([before, aborted(options.signal)]);
      try {
        return await hold({ name: "device", mode: "exclusive" });
      } finally {
        this.#held -= 1;
      }
    })();
    this.#tail = mine.catch(() => undefined);
    return mine;
  }) as LockManager["request"];
}

function aborted(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => {
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

/** Time that stands still, however much is slept: a lease does not run out while the owner is looked up. */
class StillClock extends FakeClock {
  override async sleep(_seconds: number, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class Tab {
  readonly host: DeviceHost;
  readonly runner = new FakeRunner();
  last: DeviceSnapshot | null = null;
  seen: DeviceState[] = [];

  constructor(bench: Bench) {
    this.host = new DeviceHost({
      marketOf: () => bench.market,
      chainOf: () => bench.chain,
      openStore: openDeviceStore,
      locks: bench.locks,
      runner: this.runner,
      clock: bench.clock,
      random: () => 0.5,
      cores: 4,
      browser: "test",
      tell: (snapshot) => {
        this.last = snapshot;
        if (this.seen.at(-1) !== snapshot.state) this.seen.push(snapshot.state);
      },
    });
  }

  async until(holds: (snapshot: DeviceSnapshot) => boolean): Promise<DeviceSnapshot> {
    for (let look = 0; look < 3_000; look++) {
      if (this.last && holds(this.last)) return this.last;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`it never came to that: ${this.last?.state} ${this.last?.reason} ${this.last?.lastError}`);
  }
}

class Bench {
  readonly clock = new StillClock();
  readonly market = new FakeMarket(this.clock);
  readonly chain = new FakeChain();
  readonly locks = new FakeLocks();
  readonly tabs: Tab[] = [];

  tab(): Tab {
    const tab = new Tab(this);
    this.tabs.push(tab);
    return tab;
  }

  /** A tab whose device the market knows by its key. */
  async opened(): Promise<Tab> {
    const tab = this.tab();
    await tab.host.open();
    const { device } = await tab.until((it) => it.device !== null && it.ownerKnown);
    if (device) this.market.device = device;
    return tab;
  }
}

let bench: Bench;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  bench = new Bench();
});

afterEach(async () => {
  for (const tab of bench.tabs) await tab.host.close();
});

test("open_market and chain out of reach are tried again", async () => {
  bench.market.faults.deployment = [new MarketUnreachable("down")];
  const tab = bench.tab();
  bench.chain.origin = () => {
    bench.chain.origin = FakeChain.prototype.origin;
    return Promise.reject(new ChainUnusable("down"));
  };
  await tab.host.open();
  expect((await tab.until((it) => it.state === "off")).lastError).toBeNull();
});

test("open_browser that keeps nothing has failed, with a sentence", async () => {
  const tab = bench.tab();
  Object.assign(globalThis, {
    indexedDB: {
      open: () => {
        throw new Error("denied");
      },
    },
  });
  await tab.host.open();
  const { state, reason } = await tab.until((it) => it.state === "failed");
  expect([state, reason]).toEqual(["failed", expect.stringContaining("does not keep")]);
  globalThis.indexedDB = new IDBFactory();
});

test("open_same browser has the same device, another chain another", async () => {
  const first = await bench.opened();
  const again = await bench.opened();
  expect(again.last?.device).toBe(first.last?.device);
  bench.chain.origin = () => Promise.resolve(ADDRESSES.other);
  const other = bench.tab();
  await other.host.open();
  expect((await other.until((it) => it.device !== null)).device).not.toBe(first.last?.device);
});

test("start_device without an owner stays off and says why", async () => {
  bench.chain.device = { owner: null, convicted: false, stake: 0n };
  const tab = await bench.opened();
  await tab.host.start();
  const { state } = await tab.until((it) => it.lastError === "Bind this device to its owner first.");
  expect(state).toBe("off");
  expect(bench.market.sessions).toBe(0);
});

test("bind_signature of somebody else is not relayed", async () => {
  bench.chain.device = { owner: null, convicted: false, stake: 0n };
  const tab = await bench.opened();
  const binding = { device: bench.market.device, owner: ADDRESSES.buyer };
  const signature = Binding.sign(binding, DOMAIN, KEYS.other);
  await expect(tab.host.bind(ADDRESSES.buyer, signature)).rejects.toThrow("signed by");
  expect(bench.market.bound).toEqual([]);
});

test("bind_device that another owner has is refused before the wallet is asked", async () => {
  const tab = await bench.opened();
  await expect(tab.host.typed(ADDRESSES.buyer)).rejects.toThrow(`bound for good to ${ADDRESSES.other}`);
});

test("bind_both signatures are relayed, and the owner is whom the chain shows", async () => {
  bench.chain.device = { owner: null, convicted: false, stake: 0n };
  const tab = await bench.opened();
  const { message } = await tab.host.typed(ADDRESSES.buyer);
  expect(message).toEqual({ device: bench.market.device, owner: ADDRESSES.buyer });
  const signature = Binding.sign({ device: bench.market.device, owner: ADDRESSES.buyer }, DOMAIN, KEYS.buyer);
  await tab.host.bind(ADDRESSES.buyer, signature);
  expect((await tab.until((it) => it.binding)).owner).toBeNull();
  bench.chain.device = { owner: ADDRESSES.buyer, convicted: false, stake: 0n };
  expect((await tab.until((it) => it.owner === ADDRESSES.buyer)).binding).toBe(false);
  expect(bench.market.bound).toHaveLength(1);
});

test("start_works, counts, and finishes", async () => {
  const tab = await bench.opened();
  await tab.host.start();
  const { accepted, wu, ask } = await tab.until((it) => it.tasksDone === 10);
  expect([accepted, wu, ask]).toEqual([10_045n, 10_045n, 1_000_000_000n]);
  await tab.host.finish();
  await tab.until((it) => it.state === "off");
  expect(tab.seen).toContain("waiting");
});

test("start_market without asks says that a price is to be set", async () => {
  bench.market.medianAsk = () => Promise.resolve(null);
  const tab = await bench.opened();
  await tab.host.start();
  await tab.until((it) => it.lastError?.includes("No other device asks a price") ?? false);
  await tab.host.setPolicy({ minPriceWeiPerGWU: 5n });
  expect((await tab.until((it) => it.tasksDone === 10)).ask).toBe(5n);
});

test("start_two tabs run one agent; the second takes over when the first is gone", async () => {
  const first = await bench.opened();
  await first.host.start();
  await first.until((it) => it.tasksDone === 10);
  const second = await bench.opened();
  const { reason } = await second.until((it) => it.state === "elsewhere");
  expect(reason).toContain("Another tab");
  await first.host.close();
  await second.until((it) => it.state === "waiting");
});

test("finish_while another tab runs the device stops the waiting for it", async () => {
  const first = await bench.opened();
  await first.host.start();
  await first.until((it) => it.tasksDone === 10);
  const second = bench.tab();
  await second.host.open();
  await second.until((it) => it.state === "elsewhere");
  await second.host.finish();
  await second.until((it) => it.state === "off");
});

test("open_device that was at work when its tab was closed goes on, one that finished does not", async () => {
  const first = await bench.opened();
  await first.host.start();
  await first.until((it) => it.tasksDone === 10);
  await first.host.close();
  const second = await bench.opened();
  await second.until((it) => it.state === "waiting");
  await second.host.finish();
  await second.until((it) => it.state === "off");
  const third = await bench.opened();
  expect(third.last?.state).toBe("off");
});

test("pause_reason is shown and kept; wishes come within their bounds", async () => {
  const tab = await bench.opened();
  await tab.host.start();
  await tab.until((it) => it.state === "waiting");
  await tab.host.pause();
  expect((await tab.until((it) => it.state === "paused")).reason).toBe("Paused by you.");
  await tab.host.start();
  await tab.until((it) => it.state === "waiting");
  tab.host.setConditions({ onBattery: true, isHidden: true, isOnline: true });
  expect((await tab.until((it) => it.state === "paused")).reason).toBe("Paused: this computer runs on battery.");
  await tab.host.setPolicy({ workers: 99, cpuPercent: 0, pauseOnBattery: false });
  const { policy } = await tab.until((it) => it.state === "waiting");
  expect([policy.workers, policy.cpuPercent]).toEqual([4, 1]);
  await tab.host.pause();
  await tab.host.close();
  const again = await bench.opened();
  expect(again.last?.policy).toMatchObject({ workers: 4, cpuPercent: 1, pauseOnBattery: false });
  expect((await again.until((it) => it.state === "paused")).reason).toBe("Paused by you.");
});

test("start_convicted device is stopped for good and says so", async () => {
  bench.market.faults.openSession = [new MarketRefused(409, "device_convicted", "sorry")];
  const tab = await bench.opened();
  await tab.host.start();
  expect((await tab.until((it) => it.state === "stopped")).reason).toContain("convicted");
});

test("start_journal that cannot be written fails with a sentence", async () => {
  const tab = await bench.opened();
  tab.runner.script.push(() => {
    throw new StorageUnusable("This browser does not keep it");
  });
  await tab.host.start();
  expect((await tab.until((it) => it.state === "failed")).reason).toBe("This browser does not keep it");
});
