/** Every comparison that the facts allow, as `multitude audit epoch` and `replay` make them. Pure. */
import { checkPosting, checkSeed, type Evidence } from "./evidence";
import { type EpochFacts, isSeeded } from "./facts";
import type { Finding } from "./findings";
import { judgements, type Runs } from "./judgement";
import { checkMoney, checkState } from "./money";

/** Compares an epoch with what the rules give; with `runs`, its drawn tasks with what running them gave. */
export function reportOn(facts: EpochFacts, evidence: Evidence, runs: Runs | null): Finding[] {
  return [
    ...checkPosting(facts),
    ...checkSeed(facts),
    ...evidence.findings,
    ...(isSeeded(facts) ? judgements(facts, evidence, runs) : []),
    checkState(facts),
    ...checkMoney(facts, evidence, runs),
  ];
}
