import type { Schema } from "../../api/client";

type Job = Schema<"JobBody">;

/** True when every task is final. */
export const isAllFinal = (job: Job): boolean => job.tasks.final === job.bid.taskCount;

/** "12 of 1,797 final, 300 accepted": how far a job is. */
export function doneText(job: Job): string {
  const number = (count: number) => count.toLocaleString("en-US");
  const { final, accepted, committed } = job.tasks;
  const under = accepted + committed;
  return `${number(final)} of ${number(job.bid.taskCount)} final${under > 0 ? `, ${number(under)} delivered` : ""}`;
}

/** What a job cost, in wei: known when it is closed or was refused; null while it is open. */
export function spentOf(job: Job): bigint | null {
  if (job.state === "refused") return 0n;
  return job.refunded === null ? null : BigInt(job.bid.budget) - BigInt(job.refunded);
}
