/** The recorded epochs of tests/vectors/epochs, for tests: what a page would have read of them. */
import { readFileSync } from "node:fs";
import type { Log } from "viem";
import { EventLog, eventOf } from "../chain/log";
import type { ContractName } from "../network/network";
import { type Address, compileModule, domainOf, fromHex, type Hex, runTask, type Seat } from "../protocol";
import type { EpochFacts, EpochState } from "./facts";
import type { BlobSource, Runner } from "./task";

type RecordedLog = {
  contract: ContractName;
  topics: [Hex, ...Hex[]];
  data: Hex;
  blockNumber: number;
  logIndex: number;
  transactionHash: Hex;
};

type Recorded = {
  domain: { chainId: number; verifyingContract: Address };
  logs: RecordedLog[];
  epoch: {
    epochId: string;
    state: EpochState;
    headHash: Hex;
    seed: Hex;
    outstanding: [string, string][];
    minimumStake: string;
    beaconDelay: number;
    seats: Record<string, [Address, Address][]>;
    blockHashes: Record<string, Hex>;
    verdictHashes: Record<Address, Hex>;
    stakes: Record<Address, string>;
  };
  blobs: Record<Hex, Hex>;
  expected: {
    outcome: string;
    leaves: {
      number: number;
      hash: Hex;
      digest: Hex;
      debit: string;
      seats: Address[];
      positions: number[];
      verdict: string | null;
      stateDigest: Hex;
      attestors: Address[];
    }[];
  };
};

/** An epoch as it was recorded. `raw` is its data's blob. */
export function world(name: "honest" | "convicted") {
  const path = new URL(`../../../tests/vectors/epochs/${name}.json`, import.meta.url);
  const recorded = JSON.parse(readFileSync(path, "utf8")) as Recorded;
  const facts = factsOf(recorded);
  const held = new Map(Object.entries(recorded.blobs).map(([id, data]) => [id as Hex, fromHex(data)]));
  const raw = held.get(facts.posted.args.head.dataId);
  if (!raw) throw new Error("the recorded epoch has no data");
  const { chainId, verifyingContract } = recorded.domain;
  return { facts, held, raw, expected: recorded.expected, domain: domainOf(chainId, verifyingContract) };
}

function factsOf({ logs, epoch }: Recorded): EpochFacts {
  const events = logs.flatMap(({ contract, ...log }) => {
    const found = eventOf(contract, { ...log, blockNumber: BigInt(log.blockNumber) } as unknown as Log);
    if (!found) throw new Error(`a log of ${contract} that its ABI does not know`);
    return [found];
  });
  const head = { number: Math.max(...events.map(({ block }) => block)), hash: epoch.headHash, timestamp: 0 };
  const log = new EventLog(events, head);
  const posted = log.named("EpochLedger", "Posted")[0];
  if (!posted) throw new Error("nothing was posted");
  const seats = Object.entries(epoch.seats).map(([snapshot, list]): [number, Seat[]] => [
    Number(snapshot),
    list.map(([verifier, owner]) => ({ verifier, owner })),
  ]);
  return {
    epochId: BigInt(epoch.epochId),
    posted,
    state: epoch.state,
    clock: { postedAt: 0, seededAt: 0, endedAt: 0, committed: 0, revealed: 0 },
    headHash: epoch.headHash,
    seed: epoch.seed,
    outstanding: epoch.outstanding.map(([sum, settled]) => ({ sum: BigInt(sum), settled: BigInt(settled) })),
    log,
    minimumStake: BigInt(epoch.minimumStake),
    beaconDelay: epoch.beaconDelay,
    seats: new Map(seats),
    blockHashes: new Map(Object.entries(epoch.blockHashes).map(([number, hash]) => [Number(number), hash])),
    verdictHashes: new Map(Object.entries(epoch.verdictHashes) as [Address, Hex][]),
    stakes: new Map(Object.entries(epoch.stakes).map(([device, stake]) => [device as Address, BigInt(stake)])),
    drawnSeats: new Map(),
  };
}

/** The facts with one event's arguments turned. */
export function turned(facts: EpochFacts, name: string, args: Record<string, unknown>): EpochFacts {
  const events = facts.log.events.map((event) =>
    event.name === name ? ({ ...event, args: { ...event.args, ...args } } as typeof event) : event,
  );
  const log = new EventLog(events, facts.log.head);
  const posted = log.named("EpochLedger", "Posted")[0];
  return { ...facts, log, posted: posted ?? facts.posted };
}

/** Blobs out of memory. */
export const memoryBlobs =
  (held: ReadonlyMap<Hex, Uint8Array>): BlobSource =>
  (_role, id) =>
    Promise.resolve(held.get(id) ?? null);

/** Runs tasks in the test's own thread. */
export const directRunner: Runner = async (module, _hash, input, limits) =>
  runTask(await compileModule(module), input, limits);

/** The bytes with one letter of their text turned. */
export function withText(raw: Uint8Array, from: string, to: string): Uint8Array {
  const text = new TextDecoder().decode(raw);
  if (!text.includes(from)) throw new Error(`no ${from} in the data`);
  return new TextEncoder().encode(text.replace(from, to));
}
