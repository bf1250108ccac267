/** Challenges and their panels as the log tells them. Pure. */
import type { ChainClocks } from "../chain/clocks";
import type { ChainEvent, EventLog } from "../chain/log";
import type { Address, Hex } from "../protocol";
import { GAME_STATES, type GameState } from "./facts";

/** Panels' votes by number: what they say of the result. */
export const VOTE_WORDS = ["none", "the result stands", "the result is wrong", "unavailable"] as const;

/** One ballot of a game: round 0, or 1 on appeal. Blocks where things happened; votes in the order they came. */
export type PanelRound = {
  readonly round: number;
  readonly subject: Hex;
  readonly beaconRound: number;
  readonly snapshot: number;
  readonly openedIn: number;
  readonly commits: readonly { readonly verifier: Address; readonly block: number }[];
  readonly votes: readonly { readonly verifier: Address; readonly vote: number; readonly block: number }[];
};

/** A challenge with everything that followed; `outcome` null until it is carried out. Amounts in wei. */
export type Dispute = {
  readonly gameId: Hex;
  readonly epochId: bigint;
  readonly device: Address;
  readonly opener: Address;
  readonly leafNumber: number;
  readonly task: number;
  readonly seatBond: boolean;
  readonly opened: ChainEvent<"Panel", "ChallengeOpened">;
  readonly rounds: readonly PanelRound[];
  readonly appellant: Address | null;
  readonly outcome: GameState | null;
  readonly slash: { readonly slashed: bigint; readonly paid: bigint; readonly burned: bigint } | null;
  readonly payments: readonly { readonly to: Address; readonly amount: bigint; readonly coin: "MANY" | "native" }[];
  readonly seatSlashes: readonly { readonly verifier: Address; readonly amount: bigint; readonly why: string }[];
};

/** Every challenge, newest first. */
export const disputesOf = (log: EventLog): Dispute[] =>
  log
    .named("Panel", "ChallengeOpened")
    .map((opened) => disputeOf(log, opened))
    .reverse();

function disputeOf(log: EventLog, opened: ChainEvent<"Panel", "ChallengeOpened">): Dispute {
  const { gameId, epochId, device, opener, leafNumber, task, seatBond } = opened.args;
  const resolved = log.first("Panel", "ChallengeResolved", { gameId });
  const convicted = log.first("StakeVault", "Convicted", { device });
  const hit = resolved && convicted?.tx === resolved.tx ? convicted.args : null;
  return {
    gameId,
    epochId,
    device,
    opener,
    leafNumber,
    task,
    seatBond,
    opened,
    rounds: log.named("Panel", "PanelDrawn", { gameId }).map((event) => roundOf(log, event)),
    appellant: log.first("Panel", "Appealed", { gameId })?.args.appellant ?? null,
    outcome: resolved ? (GAME_STATES[resolved.args.outcome] ?? "none") : null,
    slash: hit && { slashed: hit.slashed, paid: hit.paid, burned: hit.burned },
    payments: resolved ? paymentsOf(log, resolved) : [],
    seatSlashes: seatSlashesOf(log, gameId),
  };
}

function roundOf(log: EventLog, { args, block }: ChainEvent<"Panel", "PanelDrawn">): PanelRound {
  const { gameId, subject } = args;
  return {
    round: args.round,
    subject,
    beaconRound: Number(args.beaconRound),
    snapshot: args.snapshot,
    openedIn: block,
    commits: log
      .named("Panel", "VoteCommitted", { gameId, subject })
      .map((event) => ({ verifier: event.args.verifier, block: event.block })),
    votes: log
      .named("Panel", "VoteRevealed", { gameId, subject })
      .map((event) => ({ verifier: event.args.verifier, vote: event.args.vote, block: event.block })),
  };
}

/** What the resolving transaction moved: tokens out of the vault that were not burned, native coin that is owed since. */
function paymentsOf(log: EventLog, resolved: ChainEvent<"Panel", "ChallengeResolved">): Dispute["payments"] {
  const same = ({ tx }: { tx: Hex }) => tx === resolved.tx;
  const convicted = log.first("StakeVault", "Convicted", { device: resolved.args.device });
  const tokens = convicted && same(convicted) ? log.named("MultitudeToken", "Transfer").filter(same) : [];
  const paid = tokens.filter(({ args }) => BigInt(args.to) !== 0n);
  const coins = log.named("Panel", "Owed").filter(same);
  return [
    ...paid.map(({ args }) => ({ to: args.to, amount: args.value, coin: "MANY" as const })),
    ...coins.map(({ args }) => ({ to: args.account, amount: args.amount, coin: "native" as const })),
  ];
}

function seatSlashesOf(log: EventLog, gameId: Hex): Dispute["seatSlashes"] {
  const attestors = new Set(log.named("Panel", "AttestorSlashed", { gameId }).map(({ args }) => args.verifier));
  return log.named("Seats", "SeatSlashed", { cause: gameId }).map(({ args }) => ({
    verifier: args.verifier,
    amount: args.amount,
    why: attestors.has(args.verifier) ? "it had called the result right" : "it had accused a result that stands",
  }));
}

/** Times of blocks by number, Unix seconds. */
export type BlockTimes = ReadonlyMap<number, number>;

/** The blocks whose times a ballot's clock needs. */
export const clockBlocks = ({ openedIn, commits, votes }: PanelRound): number[] => [
  openedIn,
  ...commits.map(({ block }) => block),
  ...votes.map(({ block }) => block),
];

/** By when a game's state ends (Unix seconds), null where no clock runs or a block's time is not known. */
export function gameDeadline(
  state: GameState,
  round: PanelRound,
  seats: readonly Address[],
  times: BlockTimes,
  clocks: ChainClocks,
): number | null {
  const at = (block: number | undefined) => (block === undefined ? undefined : times.get(block));
  const opened = at(round.openedIn);
  const drawn = at(round.commits[0]?.block);
  if (state === "drawing") return opened === undefined ? null : opened + clocks.panelDraw;
  if (drawn === undefined)
    return state === "decided" && opened !== undefined ? opened + clocks.panelDraw + clocks.panelAppeal : null;
  const everybody = new Set(seats).size;
  const all = everybody > 0 && round.commits.length >= everybody;
  const commitEnd = all ? (at(round.commits[everybody - 1]?.block) ?? drawn) : drawn + clocks.panelCommit;
  if (state === "committing") return commitEnd;
  const revealed = round.votes.length > 0 && round.votes.length === round.commits.length;
  const revealEnd = revealed ? (at(round.votes.at(-1)?.block) ?? commitEnd) : commitEnd + clocks.panelReveal;
  if (state === "revealing") return revealEnd;
  return state === "decided" ? revealEnd + clocks.panelAppeal : null;
}
