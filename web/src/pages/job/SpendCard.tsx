import { messageOf } from "../../api/problem";
import { Amount } from "../../ui/Amount";
import { Meter } from "../../ui/Meter";
import { Notice } from "../../ui/Notice";
import { tokens } from "../../ui/numbers";
import { Spinner } from "../../ui/Spinner";
import { shareOf, spendOf } from "./spend";
import { type Job, useReceipt } from "./useJob";

/** What is spent of the cap, what is held, what came back. */
export function SpendCard({ job }: { job: Job }) {
  const receipt = useReceipt(job.jobId);
  const spend = receipt.data && spendOf(receipt.data, job.feePpm, job.bid.rateFloorPpm);
  return (
    <section className="card stack" aria-labelledby="spend">
      <h2 id="spend">Spend</h2>
      {receipt.error ? <Notice tone="bad">{messageOf(receipt.error)}</Notice> : null}
      {receipt.isPending ? <Spinner label="Reading the receipt" /> : null}
      {spend ? (
        <>
          <Meter
            label="Spent of the cap"
            share={shareOf(spend.spent, spend.budget)}
            text={`${tokens(spend.spent)} of ${tokens(spend.budget)} MANY`}
          />
          <dl className="facts small">
            <dt>Spent</dt>
            <dd>
              <Amount wei={spend.spent} />: pay, fee and checking of what is final
            </dd>
            <dt>Held</dt>
            <dd>
              <Amount wei={spend.held} /> at most, for what is on the chain and not final yet
            </dd>
            {job.refunded === null ? (
              <>
                <dt>Not used so far</dt>
                <dd>
                  <Amount wei={spend.free} />, yours again when the job closes
                </dd>
              </>
            ) : (
              <>
                <dt>Refunded</dt>
                <dd>
                  <Amount wei={spend.refunded} />, in the escrow balance of the buyer
                </dd>
              </>
            )}
          </dl>
        </>
      ) : null}
    </section>
  );
}
