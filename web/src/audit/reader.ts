/** Fills in the facts of an epoch by bounded calls, all as of the block at which the event log ends. */
import { blockRef } from "../chain/reader";
import type { EventLog } from "../chain/log";
import { type View, viewsAt } from "../chain/views";
import type { Network } from "../network/network";
import { type PublicClient } from "viem";
import { type Address, type Hex, type Seat, ZERO_ADDRESS } from "../protocol";
import type { Evidence } from "./evidence";
import {
  drawsOf,
  EPOCH_STATES,
  type EpochClock,
  type EpochFacts,
  type EpochState,
  isSeeded,
  ownerOf,
  programOf,
} from "./facts";
import type { ProgramWord } from "./task";

/** The state and the clocks of an epoch. */
export async function readState(view: View, epochId: bigint): Promise<{ state: EpochState; clock: EpochClock }> {
  const [state, clock] = await Promise.all([
    view("Attestations", "stateOf", [epochId]),
    view("Attestations", "clockOf", [epochId]),
  ]);
  return { state: EPOCH_STATES[state] ?? "none", clock };
}

/** What is to be known of an epoch before its data is; undefined where the chain has no such epoch. */
export async function readEpoch(
  client: PublicClient,
  network: Network,
  log: EventLog,
  epochId: bigint,
): Promise<EpochFacts | undefined> {
  const posted = log.first("EpochLedger", "Posted", { epochId });
  if (!posted) return undefined;
  const view = viewsAt(client, network, log.head.number);
  const draws = drawsOf(log, epochId);
  const entries = posted.args.head.entries.map((_, index) => view("EpochLedger", "outstanding", [epochId, index]));
  const verifiers = new Set(log.named("Attestations", "Revealed", { epochId }).map(({ args }) => args.verifier));
  const [standing, headHash, seed, outstanding, minimumStake, delay, seats, blockHashes, verdictHashes] =
    await Promise.all([
      readState(view, epochId),
      view("EpochLedger", "headHash", [epochId]),
      view("Attestations", "seedOf", [epochId]),
      Promise.all(entries),
      view("StakeVault", "minimumStake", []),
      view("BlockBeacon", "delay_blocks", []),
      keyed(new Set(draws.map(({ snapshot }) => snapshot)), (one) => readSeats(view, one)),
      readHashes(client, log, new Set(draws.map(({ round }) => round))),
      keyed(verifiers, (verifier) => view("Attestations", "verdictHash", [epochId, verifier])),
    ]);
  return {
    epochId,
    posted,
    ...standing,
    headHash,
    seed,
    outstanding: outstanding.map(([sum, settled]) => ({ sum, settled })),
    log,
    minimumStake,
    beaconDelay: Number(delay),
    seats,
    blockHashes,
    verdictHashes,
    stakes: new Map(),
    drawnSeats: new Map(),
  };
}

/** The facts with what is asked by the devices and leaves that the data names. */
export async function completeFacts(
  client: PublicClient,
  network: Network,
  facts: EpochFacts,
  evidence: Evidence,
): Promise<EpochFacts> {
  const view = viewsAt(client, network, facts.log.head.number);
  const block = facts.posted.args.head.postBlock;
  const devices = new Set(evidence.leaves.map(({ device }) => device));
  const drawn = isSeeded(facts) ? evidence.leaves : [];
  const [stakes, drawnSeats] = await Promise.all([
    keyed(devices, (device) => view("StakeVault", "stakeAt", [device, block])),
    Promise.all(
      drawn.map(async ({ hash, device }): Promise<[Hex, readonly Address[]]> => {
        const owner = ownerOf(facts.log, device) ?? ZERO_ADDRESS;
        return [hash, await view("Attestations", "drawnSeats", [facts.epochId, hash, owner])];
      }),
    ),
  ]);
  return { ...facts, stakes, drawnSeats: new Map(drawnSeats) };
}

async function readSeats(view: View, snapshot: number): Promise<readonly Seat[]> {
  return view("Seats", "seatsIn", [snapshot]);
}

async function readHashes(client: PublicClient, log: EventLog, rounds: ReadonlySet<number>): Promise<Map<number, Hex>> {
  const there = new Set([...rounds].filter((round) => round <= log.head.number));
  return keyed(there, async (round) => (await blockRef(client, round)).hash);
}

async function keyed<Key, Value>(keys: ReadonlySet<Key>, read: (key: Key) => Promise<Value>): Promise<Map<Key, Value>> {
  return new Map(await Promise.all([...keys].map(async (key): Promise<[Key, Value]> => [key, await read(key)])));
}

/** The registry's word on a program: its fields, and whether two of three drawn seats have attested it. */
export async function readProgram(view: View, log: EventLog, id: Hex): Promise<ProgramWord> {
  const facts = programOf(log, id);
  return { facts, attested: facts ? await view("ProgramRegistry", "attested", [id]) : false };
}
