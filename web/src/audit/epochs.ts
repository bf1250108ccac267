/** The epochs of a log as lines of a list, and what an epoch waits for. Pure. */
import type { ChainClocks } from "../chain/clocks";
import type { EventLog } from "../chain/log";
import type { Address, Hex } from "../protocol";
import type { EpochClock, EpochState } from "./facts";

/** An epoch as its events tell it; `debit` in wei. */
export type EpochLine = {
  readonly id: bigint;
  readonly settler: Address;
  readonly block: number;
  readonly postedAt: number;
  readonly jobs: number;
  readonly receipts: number;
  readonly debit: bigint;
  readonly dataId: Hex;
  readonly claimed: number;
  readonly voided: number;
  readonly challenges: number;
};

/** Every posted epoch, newest first. */
export function epochLines(log: EventLog): EpochLine[] {
  const claimed = countBy(log.named("EpochLedger", "Claimed"));
  const voided = countBy(log.named("EpochLedger", "LeafVoided"));
  const challenges = countBy(log.named("Panel", "ChallengeOpened"));
  const lines = log.named("EpochLedger", "Posted").map(({ args, block }) => ({
    id: args.epochId,
    settler: args.settler,
    block,
    postedAt: args.head.postedAt,
    jobs: args.head.entries.length,
    receipts: args.head.entries.reduce((sum, entry) => sum + entry.count, 0),
    debit: args.head.entries.reduce((sum, entry) => sum + entry.sum, 0n),
    dataId: args.head.dataId,
    claimed: claimed.get(args.epochId) ?? 0,
    voided: voided.get(args.epochId) ?? 0,
    challenges: challenges.get(args.epochId) ?? 0,
  }));
  return lines.reverse();
}

function countBy(events: readonly { args: { epochId: bigint } }[]): Map<bigint, number> {
  const counts = new Map<bigint, number>();
  for (const { args } of events) counts.set(args.epochId, (counts.get(args.epochId) ?? 0) + 1);
  return counts;
}

/** What an epoch's state waits for, and by when (Unix seconds); null where nothing more comes by the clock. */
export function deadlineOf(
  state: EpochState,
  clock: EpochClock,
  clocks: ChainClocks,
): { readonly at: number; readonly what: string } | null {
  const commitEnd = clock.endedAt || clock.seededAt + clocks.commit;
  const early = clock.revealed > 0 && clock.revealed === clock.committed;
  const revealEnd = early ? clock.endedAt : commitEnd + clocks.reveal;
  switch (state) {
    case "posted":
      return { at: clock.postedAt + clocks.seed, what: "void if there is no seed by then" };
    case "seeded":
    case "committing":
      return { at: commitEnd, what: "commitments end, or when every verifier has committed" };
    case "revealing":
      return { at: revealEnd, what: "reveals end, or when every committed verifier has revealed" };
    case "window":
      return { at: revealEnd + clocks.window, what: "the window for challenges ends: final" };
    default:
      return null;
  }
}
