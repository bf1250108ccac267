import { Amount, Work } from "../../ui/Amount";
import { percent } from "../../ui/numbers";
import { DEADLINES, type Terms } from "./terms";
import { budgetOf, type Quote } from "./quote";

/** What the bid says, in the words of this page; the wallet shows the same fields as they are signed. */
export function BidFields({ quote, terms, programName }: { quote: Quote; terms: Terms; programName: string }) {
  const deadline = DEADLINES.find(([seconds]) => seconds === terms.deadlineSeconds)?.[1];
  return (
    <details>
      <summary>What you sign</summary>
      <dl className="facts small">
        <dt>Program</dt>
        <dd>{programName}</dd>
        <dt>taskCount, spanTasks</dt>
        <dd>
          {quote.tasks.toLocaleString("en-US")} tasks, handed out by {quote.spanTasks}
        </dd>
        <dt>taskLimitWU</dt>
        <dd>
          <Work wu={quote.taskLimitWU} /> at most for a task
        </dd>
        <dt>maxPriceWeiPerGWU</dt>
        <dd>
          <Amount wei={quote.price} /> at most for a GWU
        </dd>
        <dt>budget</dt>
        <dd>
          <Amount wei={budgetOf(quote, terms)} />
        </dd>
        <dt>rateFloorPpm</dt>
        <dd>{percent(terms.floorPpm)} of tasks replayed at least</dd>
        <dt>minStake</dt>
        <dd>{terms.minStake > 0n ? <Amount wei={terms.minStake} /> : "none asked for"}</dd>
        <dt>deadline</dt>
        <dd>{deadline} from the moment of signing</dd>
        <dt>settler, maxFeePpm</dt>
        <dd>whoever opens the job, for {percent(quote.feePpm)} at most</dd>
        <dt>inputsRoot, manifest, salt</dt>
        <dd>your inputs, and a number that makes this bid one of a kind</dd>
      </dl>
    </details>
  );
}
