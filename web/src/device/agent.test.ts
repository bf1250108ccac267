import "fake-indexeddb/auto";

import { IDBFactory } from "fake-indexeddb";
import { beforeEach, expect, test } from "vitest";

import { StorageUnusable } from "../storage/store.ts";
import { DeviceFailure, blobId, programId, type Hex } from "../protocol/index.ts";
import { Agent, type End } from "./agent.ts";
import { JournalCorrupt, MarketRefused, MarketUnreachable, SessionRefused } from "./errors.ts";
import type { Fact } from "./facts.ts";
import { FakeChain, FakeClock, FakeMarket, FakeRunner, KEYS, PRICE, PROGRAM } from "./fakes.ts";
import { Journal, openDeviceStore, type Tally } from "./journal.ts";
import { defaultPolicy, type Conditions, type DevicePolicy } from "./policy.ts";
import { Preparation } from "./preparation.ts";

/** A device with its market; `work` runs agents on its journal until there is no more to do. */
class Bench {
  readonly clock = new FakeClock();
  readonly market = new FakeMarket(this.clock);
  readonly chain = new FakeChain();
  readonly runner = new FakeRunner();
  policy: DevicePolicy = defaultPolicy(1);
  conditions: Conditions = { onBattery: false, isHidden: false, isOnline: true };
  agent: Agent | null = null;
  /** Called before each write; what it throws is a browser that crashes there. */
  beforeWrite: (facts: readonly Fact[]) => void = () => undefined;
  /** Called with the journal before an agent has it. */
  onJournal: (journal: Journal) => void = () => undefined;

  async work(): Promise<End> {
    const store = await openDeviceStore("device");
    const journal = await Journal.open(store);
    const append = journal.append.bind(journal);
    journal.append = async (facts, tally) => {
      this.beforeWrite(facts);
      await append(facts, tally);
    };
    this.onJournal(journal);
    const agent = new Agent(
      {
        key: KEYS.device,
        market: this.market,
        journal,
        preparation: new Preparation(this.market, this.chain),
        runner: this.runner,
        clock: this.clock,
        random: () => 0.5,
        closing: new AbortController(),
        policy: () => this.policy,
        conditions: () => this.conditions,
        ask: () => Promise.resolve(PRICE),
        onChange: () => undefined,
      },
      await journal.tally(),
      null,
    );
    this.agent = agent;
    this.market.onIdle = () => {
      agent.shutDown();
    };
    try {
      return await agent.run();
    } finally {
      store.close();
    }
  }

  async facts(): Promise<readonly Fact[]> {
    const store = await openDeviceStore("device");
    const { facts } = await Journal.open(store);
    store.close();
    return facts;
  }

  async tally(): Promise<Tally> {
    const store = await openDeviceStore("device");
    const tally = await (await Journal.open(store)).tally();
    store.close();
    return tally;
  }
}

/** Four such are more than travels with the results. */
const LARGE_OUTPUT_BYTES = 20_000;

let bench: Bench;

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  bench = new Bench();
});

async function expectRefused(): Promise<void> {
  await bench.work();
  expect(bench.runner.runs).toBe(0);
  expect(bench.market.receipts).toEqual([]);
  expect(bench.market.released.length).toBeGreaterThan(0);
  expect((await bench.facts()).some((fact) => fact.fact === "signed")).toBe(false);
}

/** Stops the agent once its first lease was released. */
function stopAfterRelease(): void {
  bench.market.after.release = [
    () => {
      bench.agent?.shutDown();
    },
  ];
}

// --- what is refused

test("prepare_program that no seats attested is given back unrun", async () => {
  bench.chain.attested.clear();
  stopAfterRelease();
  await expectRefused();
});

test("prepare_module that is not of the program's hash is given back unrun", async () => {
  bench.market.blobs.set(PROGRAM.rewrittenHash, Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0));
  stopAfterRelease();
  await expectRefused();
});

test("prepare_module that the engine does not compile is given back unrun", async () => {
  const junk = Uint8Array.of(1, 2, 3);
  const program = { ...PROGRAM, rewrittenHash: blobId(junk) };
  bench.market.blobs.set(blobId(junk), junk);
  bench.chain.attested.add(programId(program));
  const preparation = new Preparation(bench.market, bench.chain);
  await expect(preparation.module(program)).rejects.toThrow(DeviceFailure);
});

test("prepare_manifest of another bid is given back unrun", async () => {
  bench.market.blobs.set(bench.market.bid.manifest, new TextEncoder().encode("{}"));
  stopAfterRelease();
  await expectRefused();
});

test("lease_signed by somebody else is given back untouched", async () => {
  bench.market.tamper = (grant) => ({ ...grant, signature: grant.bidSignature });
  stopAfterRelease();
  await expectRefused();
});

test("engine_that fails gives no receipt for the span, and the lease goes back", async () => {
  const failure = () => {
    throw new DeviceFailure("Maximum call stack size exceeded");
  };
  bench.runner.script.push(failure);
  await bench.work();
  expect(bench.market.released).toHaveLength(1);
  expect(bench.market.receipts).toHaveLength(3);
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

// --- honest work

test("run_works a job to its end with cumulative receipts", async () => {
  const end = await bench.work();
  expect(end.isAsked).toBe(true);
  expect(bench.market.receipts.map((receipt) => receipt.count)).toEqual([4, 8, 10]);
  expect(bench.market.offers[0]).toMatchObject({ attestedOnly: true, minPriceWeiPerGWU: PRICE.toString() });
  const wu = 10_000n + 45n;
  expect(await bench.tally()).toEqual({ tasks: 10, wu, wei: wu });
});

// --- trouble with the market

test.each(["deployment", "openSession", "putOffer", "nextLease", "getBlob", "putBlob", "submit"] as const)(
  "run_trouble in %s is overcome without another run",
  async (method) => {
    if (method === "putBlob") bench.runner.outputBytes = LARGE_OUTPUT_BYTES;
    bench.market.faults[method] = [
      new MarketUnreachable("down"),
      new SessionRefused("over"),
      new MarketUnreachable("down", 3),
    ];
    await bench.work();
    expect(bench.market.faults[method]).toEqual([]);
    expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
    expect(bench.runner.runs).toBe(3);
  },
);

test.each(["nextLease", "submit"] as const)("run_answer of %s lost on the way is asked for again", async (method) => {
  bench.market.after[method] = [new MarketUnreachable("lost")];
  await bench.work();
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
  expect(bench.runner.runs).toBe(3);
});

test("run_acceptance that was never told is found in the next base", async () => {
  bench.market.after.submit = [new MarketRefused(409, "lease_expired", "over")];
  await bench.work();
  expect(bench.market.receipts.map((receipt) => receipt.count)).toEqual([4, 8, 10]);
});

test("run_period posted before the receipt moves the lease", async () => {
  bench.market.faults.submit = [() => undefined, () => (bench.market.period += 1)];
  await bench.work();
  const told = bench.market.receipts.map((receipt) => [receipt.period, receipt.count]);
  expect(told).toEqual([
    [0, 4],
    [0, 8],
    [1, 4],
    [1, 6],
  ]);
});

test("run_heartbeat refused while running aborts the run and hands the work on", async () => {
  bench.runner.script.push(async () => {
    bench.market.loseLease();
    await until(() => bench.runner.aborted.aborted);
    throw new DeviceFailure("aborted");
  });
  await bench.work();
  expect(bench.runner.runs).toBe(4);
  expect(bench.market.receipts).toHaveLength(3);
});

test("run_session lost while running is opened again by the heartbeat", async () => {
  bench.market.faults.heartbeat = [new SessionRefused("over")];
  bench.runner.script.push(() => until(() => bench.market.sessions > 1));
  await bench.work();
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

test.each(["openSession", "nextLease", "submit"] as const)(
  "run_conviction told by %s stops for good",
  async (method) => {
    bench.market.faults[method] = [new MarketRefused(409, "device_convicted", "sorry")];
    expect(await bench.work()).toMatchObject({ isAsked: false, reason: "this device was convicted" });
    const { sessions } = bench.market;
    await bench.work();
    expect(bench.market.sessions).toBe(sessions);
  },
);

// --- the lease that comes with an answer

test("submit_outputs too large to travel with the results are uploaded first, and again after trouble", async () => {
  bench.runner.outputBytes = LARGE_OUTPUT_BYTES;
  bench.market.faults.submit = [new MarketUnreachable("down")];
  const before = bench.market.blobs.size;
  await bench.work();
  // The last span has two tasks: its outputs are small enough.
  expect(bench.market.blobs.size - before).toBe(2);
  expect(bench.market.sent.map(({ blob }) => blob === null)).toEqual([true, true, false]);
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

test("submit_next lease that is refused goes back and the work goes on", async () => {
  let told = 0;
  bench.market.tamper = (grant) => {
    told += 1;
    return told === 2 ? { ...grant, signature: grant.bidSignature } : grant;
  };
  await bench.work();
  expect(bench.market.released).toHaveLength(1);
  expect(bench.market.receipts.map((receipt) => receipt.count)).toEqual([4, 8, 10]);
  expect(bench.runner.runs).toBe(3);
});

test("submit_next lease during a pause goes back", async () => {
  bench.market.after.submit = [() => void (bench.policy = { ...bench.policy, isPaused: true })];
  const working = bench.work();
  await until(() => bench.market.released.length > 0);
  expect(bench.market.released[0]).toMatch(/2$/);
  expect(bench.runner.runs).toBe(1);
  bench.policy = { ...bench.policy, isPaused: false };
  await working;
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

test("submit_next lease of a device that stops meanwhile goes back", async () => {
  bench.market.after.submit = [() => bench.agent?.shutDown()];
  expect((await bench.work()).isAsked).toBe(true);
  expect(bench.market.receipts).toHaveLength(1);
  expect(bench.market.released).toHaveLength(1);
});

test("submit_crash between the answer and the journal is sent again, the same, and gets the same lease", async () => {
  bench.beforeWrite = (facts) => {
    if (facts.some(({ fact }) => fact === "settled")) throw new StorageUnusable("crash");
  };
  await expect(bench.work()).rejects.toThrow(StorageUnusable);
  bench.beforeWrite = () => undefined;
  await bench.work();
  const [first, again] = bench.market.sent;
  expect(again).toEqual(first);
  expect(bench.market.receipts.map((receipt) => receipt.count)).toEqual([4, 4, 8, 10]);
  expect(bench.market.released).toEqual([]);
  expect(bench.runner.runs).toBe(3);
  expect((await bench.tally()).tasks).toBe(10);
});

test("submit_acceptance and next lease are one write", async () => {
  const written: string[] = [];
  bench.beforeWrite = (facts) => void written.push(facts.map(({ fact }) => fact).join());
  await bench.work();
  expect(written).toContain("settled,taken");
});

test("submit_steady work is one request a lease", async () => {
  await bench.work();
  // The first poll, and the one that finds no more.
  expect(bench.market.polls).toBe(2);
  expect(bench.market.sent).toHaveLength(3);
  expect(bench.market.blobs.size).toBe(2);
});

test("submit_journal is compacted between leases that follow each other without a poll", async () => {
  const compacted: number[] = [];
  bench.onJournal = (journal) => {
    Object.defineProperty(journal, "isLarge", { get: () => true });
    const compact = journal.compact.bind(journal);
    journal.compact = (keeps) => {
      compacted.push(bench.market.accepted.length);
      return compact(keeps);
    };
  };
  await bench.work();
  expect(compacted).toEqual(expect.arrayContaining([1, 2]));
  expect(bench.market.receipts.map((receipt) => receipt.count)).toEqual([4, 8, 10]);
  expect(bench.market.polls).toBe(2);
});

test("submit_market that pairs no lease with its answer is polled", async () => {
  bench.market.pairs = false;
  await bench.work();
  expect(bench.market.polls).toBe(4);
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

// --- pauses

test("pause_condition that turns during a long poll is seen at once and nothing is taken", async () => {
  bench.market.faults.nextLease = [
    () => {
      bench.policy = { ...bench.policy, isPaused: true };
      throw new MarketUnreachable("aborted");
    },
  ];
  const working = bench.work();
  await until(() => bench.agent?.view.rest === "Paused by you.");
  expect(bench.runner.runs).toBe(0);
  bench.policy = { ...bench.policy, isPaused: false };
  await working;
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

test("pause_condition during a lease lets it finish, and gives it back when it takes too long", async () => {
  bench.runner.script.push(async () => {
    bench.conditions = { ...bench.conditions, onBattery: true };
    await until(() => bench.runner.aborted.aborted);
    bench.conditions = { ...bench.conditions, onBattery: false };
    throw new DeviceFailure("aborted");
  });
  await bench.work();
  expect(bench.market.released).toHaveLength(1);
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

test("finish_twice gives the lease in hand back at once", async () => {
  bench.runner.script.push(async () => {
    bench.agent?.shutDown();
    bench.agent?.shutDown();
    await until(() => bench.runner.aborted.aborted);
    throw new DeviceFailure("aborted");
  });
  expect((await bench.work()).isAsked).toBe(true);
  expect(bench.market.released).toHaveLength(1);
  expect(bench.market.receipts).toEqual([]);
});

test("finish_once delivers the lease in hand and takes no other", async () => {
  bench.runner.script.push(() => {
    bench.agent?.shutDown();
  });
  await bench.work();
  expect(bench.market.receipts).toHaveLength(1);
  expect(bench.market.released).toEqual([]);
});

// --- a browser that crashes

test("run_crash at any write loses nothing that was signed and signs nothing twice differently", async () => {
  let writes = 0;
  bench.beforeWrite = () => void (writes += 1);
  await bench.work();
  for (let crashAt = 1; crashAt <= writes; crashAt++) {
    globalThis.indexedDB = new IDBFactory();
    bench = new Bench();
    const signed: Hex[] = [];
    let left = crashAt;
    bench.beforeWrite = (facts) => {
      left -= 1;
      if (left === 0) throw new StorageUnusable("crash");
      for (const fact of facts) if (fact.fact === "signed") signed.push(fact.signature);
    };
    await expect(bench.work()).rejects.toThrow(StorageUnusable);
    bench.clock.time += 1;
    await bench.work();
    expect(bench.market.accepted.sort(), `crash at write ${crashAt}`).toEqual([0, 1, 2]);
    expect(new Set(bench.market.receipts.map((receipt) => receipt.count))).toEqual(new Set([4, 8, 10]));
    expect((await bench.tally()).tasks).toBe(10);
  }
}, 60_000);

test("run_outputs that the browser lost are not delivered, and the work goes on", async () => {
  bench.market.faults.submit = [
    () => {
      throw new StorageUnusable("crash");
    },
  ];
  await expect(bench.work()).rejects.toThrow(StorageUnusable);
  const store = await openDeviceStore("device");
  const [[name] = [""]] = await store.entries("outputs");
  await store.write(["outputs"], (objects) => objects("outputs").delete(name));
  store.close();
  bench.market.loseLease();
  await bench.work();
  expect(bench.market.accepted.sort()).toEqual([0, 1, 2]);
});

test("journal_that contradicts itself signs nothing", async () => {
  const store = await openDeviceStore("device");
  await store.write(["facts"], (objects) => {
    const key = { jobId: `0x${"ab".repeat(32)}`, leaseId: "1" };
    objects("facts").add({ fact: "settled", ...key, outcome: "accepted" });
  });
  store.close();
  await expect(bench.work()).rejects.toThrow(JournalCorrupt);
  expect(bench.market.sessions).toBe(0);
});

test("journal_large is compacted and replays to the same", async () => {
  const store = await openDeviceStore("device");
  const journal = await Journal.open(store);
  await journal.append(Array.from({ length: 600 }, () => ({ fact: "convicted" }) as const));
  expect(journal.isLarge).toBe(true);
  await journal.compact(() => false);
  expect((await Journal.open(store)).facts).toEqual([]);
  expect(journal.isLarge).toBe(false);
  store.close();
});

async function until(holds: () => boolean): Promise<void> {
  for (let look = 0; look < 5_000; look++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("it never came to that");
}
