import type { UseQueryResult } from "@tanstack/react-query";
import { Amount, Work } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { duration, percent } from "../../ui/numbers";
import { Spinner } from "../../ui/Spinner";
import { isUploadGone, quoteProblem } from "./problems";
import { payOf, type Quote } from "./quote";

/** The market's word before money moves. */
export function QuoteStep({ found, onUploadAgain }: { found: UseQueryResult<Quote>; onUploadAgain: () => void }) {
  const { data: quote, error, isFetching, dataUpdatedAt } = found;
  return (
    <>
      {error ? <QuoteFailed error={error} onRetry={() => void found.refetch()} onUploadAgain={onUploadAgain} /> : null}
      {!quote && isFetching ? <Spinner label="Running a few of your inputs" /> : null}
      {quote ? (
        <>
          <QuoteNumbers quote={quote} />
          <QuoteTimes quote={quote} />
          <div className="stack-tight">
            <h3>What drives it</h3>
            <ul className="small">
              {quote.drivers.map((driver) => (
                <li key={driver}>{driver}</li>
              ))}
            </ul>
          </div>
          <div className="row small soft">
            <span>Quoted at {new Date(dataUpdatedAt).toLocaleTimeString("en-GB")}; asked again every 30 seconds.</span>
            <Button kind="quiet" isDisabled={isFetching} onPress={() => void found.refetch()}>
              Ask again now
            </Button>
          </div>
        </>
      ) : null}
    </>
  );
}

function QuoteNumbers({ quote }: { quote: Quote }) {
  return (
    <>
      <p>
        <span className="quote-price">
          <Amount wei={quote.expectedCost} />
        </span>{" "}
        <span className="soft">expected, for {quote.tasks.toLocaleString("en-US")} tasks</span>
      </p>
      <dl className="quote-numbers">
        <div>
          <dt>Work for a task</dt>
          <dd>
            <Work wu={quote.wuMean} />
          </dd>
          <dd className="small soft">
            {quote.wuMin === quote.wuMax ? (
              `the same in the ${quote.sampled} that were run`
            ) : (
              <>
                <Work wu={quote.wuMin} /> to <Work wu={quote.wuMax} /> in the {quote.sampled} that were run
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>Price of a GWU now</dt>
          <dd>
            <Amount wei={quote.priceLow} unit={false} /> to <Amount wei={quote.price} />
          </dd>
          <dd className="small soft">
            {quote.devices} {quote.devices === 1 ? "device asks" : "devices ask"}
          </dd>
        </div>
        <div>
          <dt>Devices' pay</dt>
          <dd>
            <Amount wei={payOf(quote)} />
          </dd>
        </div>
        <div>
          <dt>Settler's fee</dt>
          <dd>
            <Amount wei={quote.fees} />
          </dd>
          <dd className="small soft">{percent(quote.feePpm)} of the pay</dd>
        </div>
        <div>
          <dt>Checking, paid by you</dt>
          <dd>
            <Amount wei={quote.surcharge} />
          </dd>
          <dd className="small soft">
            {percent(quote.replayedPpm)} replayed; devices pay <Amount wei={quote.deduction} /> of it themselves
          </dd>
        </div>
      </dl>
    </>
  );
}

function QuoteTimes({ quote }: { quote: Quote }) {
  return (
    <dl className="facts small">
      <dt>All accepted</dt>
      <dd>
        {quote.expectedSeconds < 1 ? "in less than a second" : `about ${duration(quote.expectedSeconds)}`} after the job
        opens, first results sooner; a device has signed for each
      </dd>
      <dt>Attested</dt>
      <dd>about {duration(quote.attestedSeconds)}: those drawn to check have agreed</dd>
      <dt>Final</dt>
      <dd>about {duration(quote.finalSeconds)}: past every challenge, and paid</dd>
    </dl>
  );
}

function QuoteFailed({
  error,
  onRetry,
  onUploadAgain,
}: {
  error: unknown;
  onRetry: () => void;
  onUploadAgain: () => void;
}) {
  const { title, text } = quoteProblem(error);
  return (
    <Notice tone="bad" title={title}>
      <p>{text}</p>
      {isUploadGone(error) ? (
        <Button onPress={onUploadAgain}>Choose the inputs again</Button>
      ) : (
        <Button onPress={onRetry}>Ask again</Button>
      )}
    </Notice>
  );
}
