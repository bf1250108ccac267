import { Suspense, lazy } from "react";
import { TaskMap } from "./TaskMap";
import { countsOf, TASK_STATES, type TaskState } from "./tasks";
import { throughputOf } from "./throughput";
import type { Story } from "./useStory";

const Chart = lazy(() => import("../../ui/Chart").then(({ Chart }) => ({ default: Chart })));

const MEANINGS: Record<TaskState, string> = {
  open: "waiting for a device",
  leased: "a device works on it",
  accepted: "delivered and signed for",
  committed: "on the chain, not drawn yet",
  undrawn: "on the chain, not to be replayed",
  drawn: "on the chain, being replayed",
  final: "paid for, past every challenge",
  voided: "taken back",
};

/** All tasks by state: a bar, a map, and the words. */
export function TaskProgress({ story }: { story: Story }) {
  const counts = countsOf(story.tasks);
  const count = story.tasks.states.length;
  const shown = TASK_STATES.filter((state) => counts[state] > 0);
  const number = (value: number) => value.toLocaleString("en-US");
  return (
    <section className="card stack" aria-labelledby="tasks">
      <div className="row spread">
        <h2 id="tasks">Tasks</h2>
        <span className="number soft">
          {number(counts.final)} of {number(count)} final
        </span>
      </div>
      <div className="states" aria-hidden="true">
        {shown.toReversed().map((state) => (
          <span key={state} className={`state-${state}`} style={{ flexGrow: counts[state] }} />
        ))}
      </div>
      <ul className="legend small" aria-label="Tasks by state">
        {shown.map((state) => (
          <li key={state} title={MEANINGS[state]}>
            <i className={`state-${state}`} aria-hidden="true" />
            <strong className="number">{number(counts[state])}</strong> {state}{" "}
            <span className="soft">({MEANINGS[state]})</span>
          </li>
        ))}
      </ul>
      <TaskMap tasks={story.tasks} />
      <p className="small soft">
        {number(counts.attested)} attested: every seat that was drawn agreed. {number(counts.replayed)} of those were
        themselves replayed.
      </p>
    </section>
  );
}

/** Tasks delivered over time. */
export function Throughput({ story }: { story: Story }) {
  const { times, rates, stepSeconds } = throughputOf(story.deliveries);
  const most = Math.max(0, ...rates);
  const total = story.deliveries.reduce((sum, { tasks }) => sum + tasks, 0);
  return (
    <section className="card stack" aria-labelledby="throughput">
      <h2 id="throughput">Throughput</h2>
      {times.length > 1 ? (
        <Suspense fallback={<p className="soft">Loading the chart…</p>}>
          <Chart
            x={times}
            lines={[{ name: "tasks a second", values: rates, stepped: true }]}
            summary={`Tasks accepted each second: ${total} in all, at most ${most.toFixed(1)} a second.`}
          />
        </Suspense>
      ) : (
        <p className="soft">{total > 0 ? `${total} tasks were delivered at once.` : "Nothing is delivered yet."}</p>
      )}
      {times.length > 1 ? (
        <p className="small soft">
          Tasks accepted from devices each second, in steps of {stepSeconds} s; at most {most.toFixed(1)}.
        </p>
      ) : null}
    </section>
  );
}
