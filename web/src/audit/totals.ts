/** What the log says of the whole network, for the front page. Pure. */
import type { EventLog } from "../chain/log";
import type { Hex } from "../protocol";
import { spanCount } from "../protocol";

/** Sums since the deployment; wei. `paid` is what owners were paid or bonded, `spans` how many spans were paid by job. */
export type Totals = {
  readonly jobs: number;
  readonly epochs: number;
  readonly claims: number;
  readonly paid: bigint;
  readonly verification: bigint;
  readonly fees: bigint;
  readonly convicted: number;
  readonly burned: bigint;
  readonly spans: ReadonlyMap<Hex, number>;
};

/** Folds the log. */
export function totalsOf(log: EventLog): Totals {
  const claims = log.named("EpochLedger", "Claimed").map(({ args }) => args.money);
  const convicted = log.named("StakeVault", "Convicted");
  const spans = new Map<Hex, number>();
  for (const { args } of log.named("JobEscrow", "JobSettled"))
    spans.set(args.jobId, (spans.get(args.jobId) ?? 0) + args.spans);
  return {
    jobs: log.named("JobEscrow", "JobOpened").length,
    epochs: log.named("EpochLedger", "Posted").length,
    claims: claims.length,
    paid: claims.reduce((sum, money) => sum + money.paid + money.bonded, 0n),
    verification: claims.reduce((sum, money) => sum + money.deduction + money.surcharge, 0n),
    fees: claims.reduce((sum, money) => sum + money.fee, 0n),
    convicted: convicted.length,
    burned: convicted.reduce((sum, { args }) => sum + args.burned, 0n),
    spans,
  };
}

/** A job whose last span is shorter than the others: the word and the bit of that span, and the tasks that it lacks. */
export type ShortSpan = { readonly jobId: Hex; readonly word: number; readonly bit: number; readonly lacks: number };

/** Tasks paid if every paid span were whole, and the short spans that have to be looked up. */
export function paidTasks(log: EventLog, spans: Totals["spans"]): { whole: number; short: ShortSpan[] } {
  let whole = 0;
  const short: ShortSpan[] = [];
  for (const { args } of log.named("JobEscrow", "JobOpened")) {
    const paid = spans.get(args.jobId) ?? 0;
    if (paid === 0) continue;
    const { taskCount, spanTasks } = args.bid;
    whole += paid * spanTasks;
    const last = spanCount(taskCount, spanTasks) - 1;
    const lacks = (last + 1) * spanTasks - taskCount;
    if (lacks > 0) short.push({ jobId: args.jobId, word: Math.floor(last / 256), bit: last % 256, lacks });
  }
  return { whole, short };
}
