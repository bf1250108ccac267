import type { UseQueryResult } from "@tanstack/react-query";
import type { Dispatch } from "react";
import type { Hex } from "../../protocol";
import type { Draft, DraftAction } from "./draft";
import type { Quote } from "./quote";
import { QuoteStep } from "./QuoteStep";
import { SignStep } from "./SignStep";
import { Step } from "./Step";
import type { UploadedInputs } from "./terms";
import { TermsStep } from "./TermsStep";

/** The last three steps: the market's quote, the buyer's terms, the signature. */
export default function Offer({
  draft: { terms, signed },
  program,
  programName,
  inputs,
  found,
  dispatch,
}: {
  draft: Draft;
  program: Hex;
  programName: string;
  inputs: UploadedInputs;
  found: UseQueryResult<Quote>;
  dispatch: Dispatch<DraftAction>;
}) {
  const quote = found.data;
  const standing = quote ? "next" : "waiting";
  return (
    <>
      <Step number={3} title="Look at the quote" standing={quote && !found.error ? "done" : "next"}>
        <QuoteStep found={found} onUploadAgain={() => dispatch({ type: "clear" })} />
      </Step>
      <Step number={4} title="Choose your terms" standing={standing} waitsFor="Comes with the quote.">
        {quote ? (
          <TermsStep quote={quote} terms={terms} onTerms={(change) => dispatch({ type: "terms", terms: change })} />
        ) : null}
      </Step>
      <Step number={5} title="Deposit and sign" standing={standing} waitsFor="Comes with the quote.">
        {quote ? (
          <SignStep
            program={program}
            programName={programName}
            inputs={inputs}
            quote={quote}
            terms={terms}
            signed={signed}
            onSigned={(made) => dispatch({ type: "signed", signed: made })}
            onOpened={() => dispatch({ type: "reset" })}
          />
        ) : null}
      </Step>
    </>
  );
}
