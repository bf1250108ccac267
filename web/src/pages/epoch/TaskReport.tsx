import { outcomeOf } from "../../audit/findings";
import { runKey } from "../../audit/judgement";
import { Spinner } from "../../ui/Spinner";
import { OutcomeBadge } from "../audit/StateBadge";
import { Value } from "./Findings";
import type { Replays, Wanted } from "./useReplays";

/** Exactly what was compared of one task, line by line. */
export function TaskReport({ wanted: { leaf, position }, replays }: { wanted: Wanted; replays: Replays }) {
  const task = leaf.tasks[position] ?? -1;
  const found = replays.results.get(runKey(leaf.number, position));
  const title = `Task ${task}, run again`;
  if (!found) return replays.progress ? <Spinner label={`Running task ${task} again`} /> : null;
  return (
    <section className="card stack-tight" aria-label={title}>
      <h3>{title}</h3>
      <p role="status" className="row">
        <OutcomeBadge outcome={outcomeOf(found.findings)} />
        <span>
          Position {position} of leaf {leaf.number}, signed by its device; {found.findings.length} comparisons:
        </span>
      </p>
      <ul className="lines">
        {found.findings.map(({ what, outcome, said, found: here, detail }) => (
          <li key={what} className="line">
            <OutcomeBadge outcome={outcome} />
            <div className="stack-tight">
              <strong>{what}</strong>
              {detail ? <span className="soft small">{detail}</span> : null}
              {said === null && here === null ? null : (
                <dl className="facts small">
                  <dt>On chain, or signed</dt>
                  <dd>
                    <Value text={said} />
                  </dd>
                  <dt>Found here</dt>
                  <dd>
                    <Value text={here} />
                  </dd>
                </dl>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
