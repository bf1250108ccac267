import { lazy, Suspense, useEffect, useReducer } from "react";
import { Spinner } from "../../ui/Spinner";
import "./buy.css";
import { knownProgram } from "./catalogue";
import { draftAfter, loadDraft, saveDraft } from "./draft";
import { ProgramFacts, ProgramStep } from "./ProgramStep";
import { type Standing, Step } from "./Step";
import { Summary } from "./Summary";
import { nameOf, usePrograms } from "./usePrograms";
import { useQuote } from "./useQuote";

// Loaded when their turn comes: the first step needs none of it.
const Inputs = lazy(() => import("./Inputs"));
const Offer = lazy(() => import("./Offer"));

const standing = (isReady: boolean, isDone: boolean): Standing => (isDone ? "done" : isReady ? "next" : "waiting");

/** From a program and inputs to a signed bid, on one page. */
export default function BuyPage() {
  const [draft, dispatch] = useReducer(draftAfter, undefined, loadDraft);
  useEffect(() => saveDraft(draft), [draft]);
  const found = useQuote(draft.program, draft.uploaded, draft.terms);
  const program = usePrograms().data?.find(({ programId }) => programId === draft.program);
  const programName = program ? nameOf(program) : draft.program && `${draft.program.slice(0, 10)}…`;
  const quote = draft.program && draft.uploaded ? found.data : undefined;
  const hasProgram = draft.program !== null;
  return (
    <div className="stack">
      <h1>Buy work</h1>
      <p className="soft">
        One program over many inputs, on devices of people you need not trust. You see the price before you sign.
      </p>
      <div className="buy">
        <div className="stack">
          <Step number={1} title="Pick a program" standing={standing(true, hasProgram)}>
            <ProgramStep chosen={draft.program} onChoose={(chosen) => dispatch({ type: "program", program: chosen })} />
            {program ? <ProgramFacts program={program} /> : null}
          </Step>
          <Step
            number={2}
            title="Add inputs"
            standing={standing(hasProgram, hasProgram && draft.uploaded !== null)}
            waitsFor="Pick a program first."
          >
            <Suspense fallback={<Spinner label="Loading this step" />}>
              <Inputs draft={draft} known={program ? knownProgram(program.originalHash) : null} dispatch={dispatch} />
            </Suspense>
          </Step>
          {draft.program && draft.uploaded ? (
            <Suspense fallback={<Spinner label="Loading the next steps" />}>
              <Offer
                draft={draft}
                program={draft.program}
                programName={programName ?? ""}
                inputs={draft.uploaded}
                found={found}
                dispatch={dispatch}
              />
            </Suspense>
          ) : (
            <Ahead hasInputs={draft.inputs.length > 0} />
          )}
        </div>
        <Summary draft={draft} programName={programName} quote={quote} onReset={() => dispatch({ type: "reset" })} />
      </div>
    </div>
  );
}

/** The steps to come. */
function Ahead({ hasInputs }: { hasInputs: boolean }) {
  const waitsFor = hasInputs ? "Upload the inputs first." : "Add inputs first.";
  const steps: [number, string, string][] = [
    [3, "Look at the quote", waitsFor],
    [4, "Choose your terms", "Comes with the quote."],
    [5, "Deposit and sign", "Comes with the quote."],
  ];
  return steps.map(([number, title, text]) => (
    <Step key={number} number={number} title={title} standing="waiting" waitsFor={text} />
  ));
}
