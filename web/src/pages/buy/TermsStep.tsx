import { useState } from "react";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { duration, tokens, weiOf } from "../../ui/numbers";
import { Select } from "../../ui/Select";
import { TextField } from "../../ui/TextField";
import { AssuranceDial } from "./AssuranceDial";
import { DEADLINES, isTooSoon, type Terms, type TermsProps } from "./terms";
import { capAt, capStanding, type Quote } from "./quote";

/** The buyer's own terms: the most that may be spent, until when, and how sure. */
export function TermsStep({ quote, terms, onTerms }: TermsProps) {
  return (
    <>
      <div className="columns">
        <Cap quote={quote} terms={terms} onTerms={onTerms} />
        <Deadline quote={quote} terms={terms} onTerms={onTerms} />
      </div>
      <AssuranceDial quote={quote} terms={terms} onTerms={onTerms} />
    </>
  );
}

function Cap({ quote, terms, onTerms }: TermsProps) {
  const cap = capAt(quote, terms.floorPpm);
  const [typed, setTyped] = useState<string | null>(terms.budget === null ? null : tokens(terms.budget, 18));
  const wei = typed === null ? cap : weiOf(typed);
  const change = (text: string) => {
    setTyped(text);
    const found = weiOf(text);
    if (found !== null) onTerms({ budget: found });
  };
  const reset = () => {
    setTyped(null);
    onTerms({ budget: null });
  };
  return (
    <div className="stack-tight">
      <TextField
        label="Cap: the most that can be spent (MANY)"
        hint="Locked in the contract when the job opens. What is not spent comes back."
        value={typed ?? tokens(cap, 18)}
        onChange={change}
        error={wei === null ? "An amount like 1.5" : null}
        inputMode="decimal"
      />
      {wei !== null ? <CapNotice quote={quote} terms={terms} budget={wei} /> : null}
      {typed !== null ? (
        <div>
          <Button kind="quiet" onPress={reset}>
            Take the quote's {tokens(cap)}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

function CapNotice({ quote, terms, budget }: { quote: Quote; terms: Terms; budget: bigint }) {
  const standing = capStanding(quote, terms.floorPpm, budget);
  if (standing.kind === "covers") return null;
  if (standing.kind === "nothing") {
    return (
      <Notice tone="bad" title="Too little for one lease">
        <p>No device can be given work on this budget: the job would wait until its deadline and be refunded.</p>
      </Notice>
    );
  }
  return (
    <Notice tone="warn" title="Below the quote's cap">
      <p>
        Surely covered are {standing.tasks.toLocaleString("en-US")} of {quote.tasks.toLocaleString("en-US")} tasks, each
        at its limit. More are done if they cost less; if the budget runs out, the rest stays open and unpaid.
      </p>
    </Notice>
  );
}

function Deadline({ quote, terms, onTerms }: TermsProps) {
  const options = DEADLINES.map(([seconds, name]) => ({ id: String(seconds), name: `${name} from now` }));
  return (
    <div className="stack-tight">
      <Select
        label="Deadline"
        value={String(terms.deadlineSeconds)}
        onChange={(seconds) => onTerms({ deadlineSeconds: Number(seconds) })}
        options={options}
      />
      <p className="small soft">The last moment at which results are accepted; what is undone then is refunded.</p>
      {isTooSoon(quote, terms.deadlineSeconds) ? (
        <Notice tone="warn" title="That may be too soon">
          <p>The devices that are there need about {duration(quote.expectedSeconds)} for the work.</p>
        </Notice>
      ) : null}
    </div>
  );
}
