/**
 * What the rules say of each leaf, and whether seats, redraws and games said the same. Pure.
 *
 * A leaf's judgement is the verdict that an honest seat gives: unavailable where the data does not back it, wrong where no
 * run gives a result or a run gives another, else right with its state digest. Null where it cannot be told.
 */
import type { ChainEvent } from "../chain/log";
import {
  type Address,
  drawnTasks,
  type Hex,
  seatsOfLeaf,
  stateDigest,
  storedHash,
  Verdict,
  wusOf,
  ZERO_ADDRESS,
  ZERO_BYTES32,
} from "../protocol";
import { ballotFindings, gameBallots, gamesOf, panelOutcomeFindings, redrawsOf } from "./ballots";
import { type Evidence, type Leaf, reasonOf } from "./evidence";
import { BALLOT_OUTCOMES, drawnFrom, type EpochFacts, ownerOf, revealsOf, stakeBefore } from "./facts";
import { agrees, compare, disagrees, type Finding, unknown } from "./findings";
import { type Judgement, VERDICT_WORDS, verdictFinding, verdictOn } from "./verdicts";

/** One task run again: right with its state digest, wrong, unavailable, or null where it could not be run here. */
export type Run = { readonly verdict: Verdict | null; readonly digest: Hex; readonly why: string };

/** Runs by leaf number and position (`runKey`). */
export type Runs = ReadonlyMap<string, Run>;

export const runKey = (leaf: number, position: number): string => `${leaf}/${position}`;

/** The verifiers of a leaf's seats in drawing order, and the positions that they replay. */
export type Draw = { readonly seats: readonly Address[]; readonly positions: readonly number[] };

const NOT_ASKED: Judgement = { verdict: null, digest: ZERO_BYTES32, why: "nothing was run", asked: false };
const NOT_RUN: Run = { verdict: null, digest: ZERO_BYTES32, why: "not run" };

const draws = new WeakMap<EpochFacts, Map<Leaf, Draw>>();

/** Who replays what of a leaf under the epoch's seed; drawn once for the same facts. @throws DrawInvalid */
export function drawOf(facts: EpochFacts, leaf: Leaf): Draw {
  const known = draws.get(facts) ?? new Map<Leaf, Draw>();
  draws.set(facts, known);
  const draw = known.get(leaf) ?? drawn(facts, leaf);
  known.set(leaf, draw);
  return draw;
}

function drawn(facts: EpochFacts, leaf: Leaf): Draw {
  const from = drawnFrom(facts);
  const chosen = seatsOfLeaf(facts.seed, leaf.hash, from, ownerOf(facts.log, leaf.device) ?? ZERO_ADDRESS);
  const seats = chosen.map((index) => from[index]?.verifier ?? ZERO_ADDRESS);
  if (leaf.unbacked !== null) return { seats, positions: [] };
  const stake = facts.stakes.get(leaf.device) ?? 0n;
  return {
    seats,
    positions: drawnTasks(facts.seed, leaf.data.receipt, wusOf(leaf.data), stake, leaf.bid.rateFloorPpm),
  };
}

/** The draw's stake as events give it, its seats as the contract draws them. */
export function checkDraw(facts: EpochFacts, leaf: Leaf, draw: Draw): Finding[] {
  const topic = `draw of leaf ${leaf.number}`;
  const after = { block: Number(facts.posted.args.head.postBlock) + 1, logIndex: 0 };
  const stake = stakeBefore(facts.log, leaf.device, after);
  const counted = stake < facts.minimumStake ? 0n : stake;
  const findings = [
    compare(
      topic,
      "the stake at the posting, wei",
      facts.stakes.get(leaf.device) ?? 0n,
      counted,
      "out of every event that moved it",
    ),
  ];
  const seats = facts.drawnSeats.get(leaf.hash);
  if (seats) findings.push(compare(topic, "the seats", seats, draw.seats));
  return findings;
}

/** Positions to run by leaf: what the seed drew, and what a challenge accused. */
export function wantedRuns(facts: EpochFacts, evidence: Evidence): Map<Leaf, number[]> {
  const wanted = new Map<Leaf, number[]>();
  for (const leaf of evidence.leaves) {
    if (leaf.unbacked !== null || leaf.faults.size > 0) continue;
    const accused = gamesOf(facts, leaf.number).map(({ args }) => args.task);
    const drawn = BigInt(facts.seed) === 0n ? [] : drawOf(facts, leaf).positions;
    wanted.set(
      leaf,
      [...new Set([...accused, ...drawn])].sort((a, b) => a - b),
    );
  }
  return wanted;
}

/** The verdict that an honest seat gives on a leaf; without `runs` only what shows without one. */
export function judge(facts: EpochFacts, leaf: Leaf, runs: Runs | null): Judgement {
  const without = withoutRun(leaf);
  if (without) return without;
  if (runs === null) return NOT_ASKED;
  const found = drawOf(facts, leaf).positions.map((k) => ({ k, run: runs.get(runKey(leaf.number, k)) ?? NOT_RUN }));
  // A wrong result decides the leaf, whatever of the rest cannot be run; then what nobody can run.
  for (const verdict of [Verdict.WRONG, null, Verdict.UNAVAILABLE]) {
    const first = found.find(({ run }) => run.verdict === verdict);
    if (first) return { verdict, digest: ZERO_BYTES32, why: `position ${first.k}: ${first.run.why}`, asked: true };
  }
  return { verdict: Verdict.RIGHT, digest: stateDigest(found.map(({ run }) => run.digest)), why: "", asked: true };
}

/** The verdict on one task of a leaf. */
export function judgeTask(leaf: Leaf, position: number, runs: Runs | null): Judgement {
  if (leaf.unbacked !== null || leaf.faults.has(position)) return withoutRun(leaf, position) ?? NOT_ASKED;
  if (runs === null) return NOT_ASKED;
  return { ...(runs.get(runKey(leaf.number, position)) ?? NOT_RUN), asked: true };
}

function withoutRun(leaf: Leaf, position = Math.min(...leaf.faults.keys())): Judgement | null {
  if (leaf.unbacked !== null)
    return { verdict: Verdict.UNAVAILABLE, digest: ZERO_BYTES32, why: leaf.unbacked, asked: true };
  const fault = leaf.faults.get(position);
  if (fault === undefined) return null;
  return { verdict: Verdict.WRONG, digest: ZERO_BYTES32, why: `position ${position}: ${fault}`, asked: true };
}

/** The drawn tasks that were run again. A lie is no disagreement: what was made of it may be. */
export function checkRuns(leaf: Leaf, positions: readonly number[], judgement: Judgement): Finding {
  const topic = `runs of leaf ${leaf.number}`;
  if (judgement.verdict === null) return unknown(topic, "its drawn tasks", judgement.why);
  const detail =
    judgement.verdict === Verdict.RIGHT
      ? `${positions.length} drawn tasks run again: output, WU and status are those signed`
      : `the leaf is ${VERDICT_WORDS[judgement.verdict]}: ${judgement.why}`;
  return agrees(topic, "its drawn tasks", detail);
}

/** What each drawn seat revealed against the judgement. */
export function checkVerdicts(facts: EpochFacts, leaf: Leaf, draw: Draw, judgement: Judgement): Finding[] {
  if (!judgement.asked) return [];
  const reveals = revealsOf(facts);
  return draw.seats.map((verifier) => {
    const topic = `seat ${verifier} on leaf ${leaf.number}`;
    const revealed = reveals.get(verifier);
    if (!revealed) return agrees(topic, "its verdict", "none was revealed: it counts for nothing");
    const { verdict, digest } = verdictOn(revealed, leaf.number);
    return verdictFinding(topic, verdict, digest, judgement);
  });
}

/** Every revealed verdict against the hash that the contract stores of it, and against the snapshot. */
export function checkReveals(facts: EpochFacts): Finding[] {
  const committed = facts.log.named("Attestations", "Committed", { epochId: facts.epochId });
  const verifiers = new Set(committed.map(({ args }) => args.verifier));
  const from = drawnFrom(facts);
  return [...revealsOf(facts)].flatMap(([verifier, revealed]) => {
    const topic = `reveal of ${verifier}`;
    const held = from.filter((seat) => seat.verifier === verifier).length;
    const findings = [compare(topic, "its hash", facts.verdictHashes.get(verifier) ?? null, storedHash(revealed))];
    if (!verifiers.has(verifier)) findings.push(disagrees(topic, "its commitment", "it was never committed"));
    findings.push(
      held > 0
        ? agrees(topic, "its seats", `${held} of ${from.length}`)
        : disagrees(topic, "its seats", "it has none in the snapshot"),
    );
    return findings;
  });
}

/** The verifiers to be paid for a leaf, one for each seat; null where the leaf is not attested. */
export function attestorsOf(facts: EpochFacts, leaf: Leaf, draw: Draw): readonly Address[] | null {
  const last = redrawsOf(facts, leaf).at(-1)?.ballot;
  if (last) return last.outcome === Verdict.RIGHT ? last.voters(Verdict.RIGHT) : null;
  const reveals = revealsOf(facts);
  const said = draw.seats.flatMap((verifier) => {
    const revealed = reveals.get(verifier);
    return revealed ? [verdictOn(revealed, leaf.number)] : [];
  });
  const [first] = said;
  const same = said.every(({ verdict, digest }) => verdict === Verdict.RIGHT && digest === first?.digest);
  return first && same && said.length === draw.seats.length ? draw.seats : null;
}

/** Subjects, seats, votes and outcomes of a leaf's redraws. */
function checkRedraws(facts: EpochFacts, leaf: Leaf, judgement: Judgement): Finding[] {
  return redrawsOf(facts, leaf).flatMap(({ event, ballot }) => {
    const topic = `redraw ${event.args.round} of leaf ${leaf.number}`;
    const settled = facts.log.first("Attestations", "RedrawSettled", { subject: ballot.subject });
    const findings = ballotFindings(topic, event.args.subject, ballot, judgement);
    if (settled && ballot.seats) {
      const outcome = ballot.outcome === 0 ? "hung" : BALLOT_OUTCOMES[ballot.outcome];
      findings.push(compare(topic, "the outcome", BALLOT_OUTCOMES[settled.args.outcome], outcome, "votes counted"));
    }
    return findings;
  });
}

/** Panels of a leaf's challenges: seats, votes, outcome, and what the accused task gives. */
function checkGames(facts: EpochFacts, leaf: Leaf, runs: Runs | null): Finding[] {
  return gamesOf(facts, leaf.number).flatMap((game: ChainEvent<"Panel", "ChallengeOpened">) => {
    const judgement = judgeTask(leaf, game.args.task, runs);
    const topic = `challenge of position ${game.args.task} of leaf ${leaf.number}`;
    const panels = gameBallots(facts, game);
    return [
      ...panels.flatMap(({ event, ballot }) =>
        ballotFindings(`panel ${event.args.round} of the ${topic}`, event.args.subject, ballot, judgement),
      ),
      ...panelOutcomeFindings(
        facts,
        game,
        topic,
        panels.map(({ ballot }) => ballot),
        judgement,
      ),
    ];
  });
}

/** Every finding on draws, runs, reveals, redraws and games of a seeded epoch. */
export function judgements(facts: EpochFacts, evidence: Evidence, runs: Runs | null): Finding[] {
  const findings = checkReveals(facts);
  for (const leaf of evidence.leaves) {
    let draw: Draw;
    try {
      draw = drawOf(facts, leaf);
    } catch (error) {
      findings.push(disagrees(`draw of leaf ${leaf.number}`, "its tasks", reasonOf(error)));
      continue;
    }
    const judgement = judge(facts, leaf, runs);
    findings.push(...checkDraw(facts, leaf, draw));
    if (judgement.asked) findings.push(checkRuns(leaf, draw.positions, judgement));
    findings.push(...checkVerdicts(facts, leaf, draw, judgement));
    findings.push(...checkRedraws(facts, leaf, judgement), ...checkGames(facts, leaf, runs));
  }
  return findings;
}
