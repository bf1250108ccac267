/** What the chain says of an epoch, as of one block. Pure; `reader.ts` fills it in. */
import type { EventArgs } from "../chain/contracts";
import { type ChainEvent, type EventLog, isBefore, type Place } from "../chain/log";
import type { Address, Bid, Hex, ProgramFacts, Seat } from "../protocol";

/** IAttestations.EpochState by number. */
export const EPOCH_STATES = ["none", "posted", "seeded", "committing", "revealing", "window", "final", "void"] as const;
export type EpochState = (typeof EPOCH_STATES)[number];

/** IDisputeGame.GameState by number. */
export const GAME_STATES = [
  "none",
  "drawing",
  "committing",
  "revealing",
  "decided",
  "upheld",
  "rejected",
  "hung",
] as const;
export type GameState = (typeof GAME_STATES)[number];

/** IAttestations.BallotOutcome by number. */
export const BALLOT_OUTCOMES = ["pending", "right", "wrong", "unavailable", "hung"] as const;

/** What was posted. */
export type Head = EventArgs<"EpochLedger", "Posted">["head"];

/** A job as it was opened. */
export type Job = { readonly bid: Bid; readonly feePpm: number; readonly settler: Address };

/** What an entry has left: wei of its debit, and a bit for each settled leaf. */
export type Outstanding = { readonly sum: bigint; readonly settled: bigint };

/** Clocks of an epoch (Unix seconds, 0 while not) and how many verifiers have acted. */
export type EpochClock = {
  readonly postedAt: number;
  readonly seededAt: number;
  readonly endedAt: number;
  readonly committed: number;
  readonly revealed: number;
};

/**
 * One epoch: its posting, what the contracts hold of it, and the log that it stands in. `seats` by snapshot,
 * `blockHashes` by beacon round where the node has the block, `verdictHashes` by verifier. Known once the epoch's data
 * is: `stakes` in wei by device at the posting, `drawnSeats` (verifiers, as the contract draws them) by leaf hash.
 */
export type EpochFacts = {
  readonly epochId: bigint;
  readonly posted: ChainEvent<"EpochLedger", "Posted">;
  readonly state: EpochState;
  readonly clock: EpochClock;
  readonly headHash: Hex;
  readonly seed: Hex;
  readonly outstanding: readonly Outstanding[];
  readonly log: EventLog;
  readonly minimumStake: bigint;
  readonly beaconDelay: number;
  readonly seats: ReadonlyMap<number, readonly Seat[]>;
  readonly blockHashes: ReadonlyMap<number, Hex>;
  readonly verdictHashes: ReadonlyMap<Address, Hex>;
  readonly stakes: ReadonlyMap<Address, bigint>;
  readonly drawnSeats: ReadonlyMap<Hex, readonly Address[]>;
};

/** A verdict that a verifier revealed. */
export type Revealed = { readonly packed: bigint; readonly digests: readonly Hex[] };

/** Whether there was a draw. */
export const isSeeded = (facts: EpochFacts): boolean => BigInt(facts.seed) !== 0n;

/** The event that fixed the beacon's round. */
export const openedOf = (facts: EpochFacts) =>
  facts.log.first("Attestations", "EpochOpened", { epochId: facts.epochId });

/** Revealed verdicts by verifier. */
export function revealsOf(facts: EpochFacts): Map<Address, Revealed> {
  const events = facts.log.named("Attestations", "Revealed", { epochId: facts.epochId });
  return new Map(events.map(({ args }) => [args.verifier, { packed: args.verdicts, digests: args.digests }]));
}

/** The seats that leaves are drawn among. */
export const drawnFrom = (facts: EpochFacts): readonly Seat[] => facts.seats.get(facts.posted.args.head.snapshot) ?? [];

/** A job by its id. */
export function jobOf(log: EventLog, jobId: Hex): Job | undefined {
  const opened = log.first("JobEscrow", "JobOpened", { jobId });
  return opened && { bid: opened.args.bid, feePpm: opened.args.feePpm, settler: opened.args.settler };
}

/** What is registered of a program. */
export function programOf(log: EventLog, programId: Hex): ProgramFacts | undefined {
  const registered = log.first("ProgramRegistry", "Registered", { programId });
  if (!registered) return undefined;
  const { class: assurance, ...rest } = registered.args.program;
  return { assurance, ...rest };
}

/** Whom a device was bound to, for good. */
export const ownerOf = (log: EventLog, device: Address): Address | undefined =>
  log.first("StakeVault", "Bound", { device })?.args.owner;

/** The number of the newest snapshot of seats when something happened. */
export function snapshotAt(log: EventLog, place: Place): number {
  const taken = log.named("Seats", "SnapshotTaken").filter((event) => isBefore(event, place));
  return taken.at(-1)?.args.snapshot ?? 0;
}

/**
 * Stake in wei just before a place, out of everything that moved it. A claim counts where it says what it bonds: the
 * next leaf of the same claim finds that stake already.
 */
export function stakeBefore(log: EventLog, device: Address, place: Place): bigint {
  const moves: [Place, (stake: bigint) => bigint][] = [
    ...log.named("StakeVault", "Staked", { device }).map(add(({ args }) => args.amount)),
    ...log.named("StakeVault", "UnstakeRequested", { device }).map(add(({ args }) => -args.amount)),
    ...log.named("EpochLedger", "Claimed", { device }).map(add(({ args }) => args.money.bonded)),
    ...log.named("StakeVault", "Convicted", { device }).map((event): [Place, () => bigint] => [event, () => 0n]),
  ];
  return moves
    .filter(([at]) => isBefore(at, place))
    .sort(([a], [b]) => (isBefore(a, b) ? -1 : 1))
    .reduce((stake, [, move]) => move(stake), 0n);
}

const add =
  <E extends Place>(amount: (event: E) => bigint) =>
  (event: E): [Place, (stake: bigint) => bigint] => [event, (stake) => stake + amount(event)];

/** Beacon round and snapshot of an epoch's draw, and of those of its redraws and games. */
export function drawsOf(log: EventLog, epochId: bigint): { round: number; snapshot: number }[] {
  const own = log.named("Attestations", "EpochOpened", { epochId });
  const redraws = log.named("Attestations", "RedrawOpened", { epochId });
  const games = log.named("Panel", "ChallengeOpened", { epochId });
  const panels = games.flatMap(({ args }) => log.named("Panel", "PanelDrawn", { gameId: args.gameId }));
  return [
    ...own.map(({ args }) => ({ round: Number(args.round), snapshot: args.snapshot })),
    ...redraws.map((event) => ({ round: Number(event.args.beaconRound), snapshot: snapshotAt(log, event) })),
    ...panels.map(({ args }) => ({ round: Number(args.beaconRound), snapshot: args.snapshot })),
  ];
}
