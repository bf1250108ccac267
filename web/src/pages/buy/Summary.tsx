import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { bytes, duration, percent } from "../../ui/numbers";
import type { Draft } from "./draft";
import { totalBytes } from "./inputs";
import { budgetOf, type Quote } from "./quote";

/** The job so far, beside the steps. */
export function Summary({
  draft,
  programName,
  quote,
  onReset,
}: {
  draft: Draft;
  programName: string | null;
  quote: Quote | undefined;
  onReset: () => void;
}) {
  const tasks = draft.uploaded?.tasks ?? draft.inputs.length;
  const size = draft.uploaded?.bytes ?? totalBytes(draft.inputs);
  return (
    <aside className="card stack buy-summary" aria-labelledby="your-job">
      <h2 id="your-job">Your job</h2>
      <dl className="facts">
        <dt>Program</dt>
        <dd>{programName ?? "–"}</dd>
        <dt>Tasks</dt>
        <dd>{tasks > 0 ? `${tasks.toLocaleString("en-US")}, ${bytes(size)}` : "–"}</dd>
        <dt>Expected</dt>
        <dd>{quote ? <Amount wei={quote.expectedCost} /> : "–"}</dd>
        <dt>At most</dt>
        <dd>{quote ? <Amount wei={budgetOf(quote, draft.terms)} /> : "–"}</dd>
        <dt>Replayed</dt>
        <dd>{quote ? `at least ${percent(draft.terms.floorPpm)}` : "–"}</dd>
        <dt>Final after</dt>
        <dd>{quote ? `about ${duration(quote.finalSeconds)}` : "–"}</dd>
      </dl>
      {draft.program || tasks > 0 ? (
        <div>
          <Button kind="quiet" onPress={onReset}>
            Start over
          </Button>
        </div>
      ) : null}
    </aside>
  );
}
