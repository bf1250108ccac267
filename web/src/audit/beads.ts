/** The newest epochs as beads: how much of each was replayed, and what the seats said. Pure. */
import type { EventLog } from "../chain/log";
import { Verdict } from "../protocol";
import type { Revealed } from "./facts";
import { verdictOn } from "./verdicts";

/** An epoch's leaves, and how many of them seats have replayed and called right or wrong. */
export type Bead = {
  readonly id: bigint;
  readonly leaves: number;
  readonly replayed: number;
  readonly wrong: number;
  readonly standing: "open" | "paid" | "void";
};

/** The newest `count` epochs, oldest of them first. */
export function beadsOf(log: EventLog, count: number): Bead[] {
  return log
    .named("EpochLedger", "Posted")
    .slice(-count)
    .map(({ args: { epochId, head } }) => {
      const leaves = head.entries.reduce((sum, entry) => sum + entry.count, 0);
      const reveals = log.named("Attestations", "Revealed", { epochId }).map(({ args }) => ({
        packed: args.verdicts,
        digests: args.digests,
      }));
      const said = Array.from({ length: leaves }, (_, leaf) => verdictsOn(reveals, leaf));
      return {
        id: epochId,
        leaves,
        replayed: said.filter((verdicts) => verdicts.length > 0).length,
        wrong: said.filter((verdicts) => verdicts.includes(Verdict.WRONG)).length,
        standing: standingOf(log, epochId),
      };
    });
}

function verdictsOn(reveals: readonly Revealed[], leaf: number): Verdict[] {
  return reveals.map((revealed) => verdictOn(revealed, leaf).verdict).filter((verdict) => verdict !== Verdict.NOT_MINE);
}

function standingOf(log: EventLog, epochId: bigint): Bead["standing"] {
  if (log.first("EpochLedger", "EpochVoided", { epochId })) return "void";
  return log.first("EpochLedger", "EpochFinished", { epochId }) ? "paid" : "open";
}

/** Leaves that seats have revealed a verdict on, in all epochs; each verdict counts. */
export function verdictCounts(log: EventLog): { right: number; wrong: number; unavailable: number } {
  const counts = { right: 0, wrong: 0, unavailable: 0 };
  for (const { args } of log.named("Attestations", "Revealed"))
    for (let packed = args.verdicts; packed > 0n; packed >>= 2n) {
      const verdict = Number(packed & 3n) as Verdict;
      if (verdict === Verdict.RIGHT) counts.right++;
      if (verdict === Verdict.WRONG) counts.wrong++;
      if (verdict === Verdict.UNAVAILABLE) counts.unavailable++;
    }
  return counts;
}
