import type { LiveEvent } from "../../api/live";
import { tasksIn } from "./tasks";

/** Tasks that devices delivered: when (Unix seconds) and how many. Rising times. */
export type Delivery = { at: number; tasks: number };

/** A run of equal steps of time for a chart: the start of each step in Unix seconds, and tasks per second in it. */
export type Throughput = { times: number[]; rates: number[]; stepSeconds: number };

/** The delivery that an event tells, or null. */
export function deliveryOf(event: LiveEvent, count: number): Delivery | null {
  if (event.type !== "span.accepted" || event.data.reorganised === true || event.data.lease === undefined) return null;
  const at = Number(event.data.at);
  const tasks = tasksIn(event, count);
  return Number.isFinite(at) && tasks > 0 ? { at, tasks } : null;
}

const STEPS: readonly number[] = [1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400];

/** Deliveries as rates in at most `points` steps. */
export function throughputOf(deliveries: readonly Delivery[], points = 60): Throughput {
  const first = deliveries[0];
  const last = deliveries.at(-1);
  if (!first || !last) return { times: [], rates: [], stepSeconds: 1 };
  const span = Math.max(1, last.at - first.at);
  const stepSeconds = STEPS.find((step) => span / step < points) ?? Math.ceil(span / points);
  const start = Math.floor(first.at / stepSeconds) * stepSeconds;
  const count = Math.floor((last.at - start) / stepSeconds) + 1;
  const sums = new Array<number>(count).fill(0);
  for (const { at, tasks } of deliveries) {
    const step = Math.min(count - 1, Math.max(0, Math.floor((at - start) / stepSeconds)));
    sums[step] = (sums[step] ?? 0) + tasks;
  }
  return {
    times: sums.map((_, index) => start + index * stepSeconds),
    rates: sums.map((sum) => sum / stepSeconds),
    stepSeconds,
  };
}
