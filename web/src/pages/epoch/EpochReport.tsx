import { useMemo } from "react";
import type { GivenFiles } from "../../audit/blobs";
import type { Evidence } from "../../audit/evidence";
import type { EpochFacts } from "../../audit/facts";
import { outcomeOf, unknown } from "../../audit/findings";
import { drawOf, runKey, wantedRuns } from "../../audit/judgement";
import { reportOn } from "../../audit/report";
import { ProtocolError } from "../../protocol";
import { Spinner } from "../../ui/Spinner";
import { Claims } from "./Claims";
import { Drawn } from "./Drawn";
import { Findings } from "./Findings";
import { Leaves } from "./Leaves";
import { SeatsTable } from "./SeatsTable";
import { useReplays, type Wanted } from "./useReplays";
import { Verdict } from "./Verdict";

const NOTHING: Evidence = { leaves: [], unseen: new Map(), findings: [] };

/** Everything that is compared of an epoch, and the replays that a person asks for. */
export function EpochReport({
  facts,
  evidence,
  isMissing,
  files,
}: {
  facts: EpochFacts;
  evidence: Evidence | null;
  isMissing: boolean;
  files: GivenFiles;
}) {
  const replays = useReplays(facts, files);
  const drawn = useMemo(() => (evidence ? drawnTasks(facts, evidence) : []), [facts, evidence]);
  const wanted = useMemo(() => (evidence ? wantedTasks(facts, evidence) : []), [facts, evidence]);
  const whole =
    wanted.length > 0 && wanted.every(({ leaf, position }) => replays.results.has(runKey(leaf.number, position)));
  const results = whole ? replays.results : null;
  const findings = useMemo(() => {
    const runs = results && new Map([...results].map(([key, { run }]) => [key, run]));
    const found = reportOn(facts, evidence ?? NOTHING, runs);
    return isMissing && facts.state !== "void"
      ? [...found, unknown("data", "the epoch's data", "the blob cannot be had")]
      : found;
  }, [facts, evidence, results, isMissing]);
  if (!evidence && !isMissing) return <Spinner label="Reading the epoch's data and checking it against the chain" />;
  return (
    <>
      <Verdict
        outcome={outcomeOf(findings)}
        count={findings.length}
        replayed={whole ? wanted.length : 0}
        replays={replays}
        wanted={wanted}
      />
      <Drawn drawn={drawn} replays={replays} evidence={evidence ?? NOTHING} />
      <Leaves facts={facts} evidence={evidence ?? NOTHING} drawn={drawn} />
      <SeatsTable facts={facts} evidence={evidence ?? NOTHING} />
      <Claims facts={facts} evidence={evidence ?? NOTHING} />
      <Findings title="Everything that was compared" findings={findings} />
    </>
  );
}

/** The tasks that the seed drew, with the seats that got them. */
export type DrawnTask = Wanted & { readonly seats: readonly string[] };

function drawnTasks(facts: EpochFacts, { leaves }: Evidence): DrawnTask[] {
  if (BigInt(facts.seed) === 0n) return [];
  return leaves.flatMap((leaf) => {
    try {
      const { positions, seats } = drawOf(facts, leaf);
      return positions.map((position) => ({ leaf, position, seats }));
    } catch (error) {
      if (error instanceof ProtocolError) return [];
      throw error;
    }
  });
}

function wantedTasks(facts: EpochFacts, evidence: Evidence): Wanted[] {
  try {
    return [...wantedRuns(facts, evidence)].flatMap(([leaf, positions]) =>
      positions.map((position) => ({ leaf, position })),
    );
  } catch (error) {
    if (error instanceof ProtocolError) return [];
    throw error;
  }
}
