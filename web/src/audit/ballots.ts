/** Redraws and panels, recomputed: seats out of the block hash, votes counted. Pure. */
import { type ChainEvent, isBefore } from "../chain/log";
import {
  type Address,
  APPEAL_SEATS,
  ballotSeats,
  ballotSeed,
  type Hex,
  PANEL_SEATS,
  panelSubject,
  REDRAW_SEATS,
  redrawSubject,
  Verdict,
  ZERO_ADDRESS,
} from "../protocol";
import type { Leaf } from "./evidence";
import { type EpochFacts, GAME_STATES, type GameState, ownerOf, snapshotAt } from "./facts";
import { agrees, compare, disagrees, type Finding, unknown } from "./findings";
import { type Judgement, verdictFinding } from "./verdicts";

/** A ballot: its seats (null where their randomness is not to be had), its votes by verifier, the equal votes that decide. */
export class Ballot {
  constructor(
    readonly subject: Hex,
    readonly needed: number,
    readonly seats: readonly Address[] | null,
    readonly votes: ReadonlyMap<Address, Verdict>,
  ) {}

  /** Verifiers that voted so, one for each seat, in drawing order. */
  voters(vote: Verdict): Address[] {
    return (this.seats ?? []).filter((verifier) => this.votes.get(verifier) === vote);
  }

  /** The vote that enough seats agree on, 0 for none. */
  get outcome(): Verdict {
    const votes = [Verdict.RIGHT, Verdict.WRONG, Verdict.UNAVAILABLE];
    return votes.find((vote) => this.voters(vote).length >= this.needed) ?? Verdict.NOT_MINE;
  }
}

/** An event that opened a ballot, with the ballot. */
export type Opened<E> = { readonly event: E; readonly ballot: Ballot };

const majorityOf = (seats: number): number => (seats === APPEAL_SEATS ? 4 : 2);

/** The redraws of a leaf in order. */
export function redrawsOf(facts: EpochFacts, leaf: Leaf): Opened<ChainEvent<"Attestations", "RedrawOpened">>[] {
  const { log, epochId } = facts;
  const owner = ownerOf(log, leaf.device) ?? ZERO_ADDRESS;
  return log.named("Attestations", "RedrawOpened", { epochId, leafHash: leaf.hash }).map((event) => {
    const subject = redrawSubject(epochId, leaf.hash, event.args.round);
    const seats = seatsOf(facts, subject, Number(event.args.beaconRound), snapshotAt(log, event), REDRAW_SEATS, owner);
    const votes = log.named("Attestations", "BallotRevealed", { subject });
    return { event, ballot: new Ballot(subject, majorityOf(REDRAW_SEATS), seats, votesOf(votes)) };
  });
}

/** The challenges of a leaf. */
export const gamesOf = (facts: EpochFacts, leafNumber: number): ChainEvent<"Panel", "ChallengeOpened">[] =>
  facts.log.named("Panel", "ChallengeOpened", { epochId: facts.epochId, leafNumber });

/** The panels of a game: the first, and that of an appeal. */
export function gameBallots(
  facts: EpochFacts,
  game: ChainEvent<"Panel", "ChallengeOpened">,
): Opened<ChainEvent<"Panel", "PanelDrawn">>[] {
  const { gameId, opener } = game.args;
  return facts.log.named("Panel", "PanelDrawn", { gameId }).map((event) => {
    const subject = panelSubject(gameId, event.args.round);
    const wanted = event.args.round > 0 ? APPEAL_SEATS : PANEL_SEATS;
    const seats = seatsOf(facts, subject, Number(event.args.beaconRound), event.args.snapshot, wanted, opener);
    const votes = facts.log.named("Panel", "VoteRevealed", { gameId, subject });
    return { event, ballot: new Ballot(subject, majorityOf(wanted), seats, votesOf(votes)) };
  });
}

function votesOf(events: readonly { args: { verifier: Address; vote: number } }[]): Map<Address, Verdict> {
  return new Map(events.map(({ args }) => [args.verifier, args.vote as Verdict]));
}

function seatsOf(
  facts: EpochFacts,
  subject: Hex,
  round: number,
  snapshot: number,
  wanted: number,
  excluded: Address,
): Address[] | null {
  const randomness = facts.blockHashes.get(round);
  const seats = facts.seats.get(snapshot);
  if (!randomness || !seats) return null;
  const chosen = ballotSeats(ballotSeed(randomness, subject), subject, seats, wanted, [excluded]);
  return chosen.map((index) => seats[index]?.verifier ?? ZERO_ADDRESS);
}

/** A ballot's subject, its voters, and each vote against the judgement. */
export function ballotFindings(topic: string, subject: Hex, ballot: Ballot, judgement: Judgement): Finding[] {
  const findings = [compare(topic, "the subject", subject, ballot.subject)];
  if (!ballot.seats) return [...findings, unknown(topic, "its seats", "the node lacks the block that drew them")];
  const undrawn = [...ballot.votes.keys()].filter((verifier) => !ballot.seats?.includes(verifier));
  findings.push(
    undrawn.length > 0
      ? disagrees(topic, "its votes", `not drawn, and voted: ${undrawn.join(", ")}`)
      : agrees(topic, "its votes", `${ballot.votes.size} votes of the seats of ${ballot.seats.join(", ")}`),
  );
  if (!judgement.asked) return findings;
  const votes = [...ballot.votes].map(([verifier, vote]) =>
    verdictFinding(`vote of ${verifier} in ${topic}`, vote, null, judgement),
  );
  return [...findings, ...votes];
}

/** The outcome of a game against its votes, and against what the accused task gives. */
export function panelOutcomeFindings(
  facts: EpochFacts,
  game: ChainEvent<"Panel", "ChallengeOpened">,
  topic: string,
  ballots: readonly Ballot[],
  judgement: Judgement,
): Finding[] {
  const resolved = facts.log.first("Panel", "ChallengeResolved", { gameId: game.args.gameId });
  const last = ballots.at(-1);
  if (!resolved || !last) return [agrees(topic, "its outcome", "not resolved yet")];
  const said = GAME_STATES[resolved.args.outcome] ?? "none";
  const convicted = facts.log.first("StakeVault", "Convicted", { device: game.args.device });
  if (convicted && isBefore(convicted, resolved) && said === "hung")
    return [agrees(topic, "its outcome", "ended with every bond back: the device was convicted already")];
  if (!last.seats) return [unknown(topic, "its outcome", "the node lacks the block that drew its panel", said)];
  const findings = [compare(topic, "the outcome", said, gameOutcome(last.outcome), "votes counted")];
  if (judgement.verdict !== null && said !== "hung")
    findings.push(compare(topic, "the outcome by a run", said, gameOutcome(judgement.verdict), judgement.why));
  return findings;
}

/** How a game ends on a vote: 1 the result stands, 2 it is wrong. */
export function gameOutcome(vote: Verdict): GameState {
  if (vote === Verdict.RIGHT) return "rejected";
  return vote === Verdict.WRONG ? "upheld" : "hung";
}
