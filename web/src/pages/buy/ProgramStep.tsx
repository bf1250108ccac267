import { lazy, Suspense, useState } from "react";
import { Radio, RadioGroup } from "react-aria-components";
import { messageOf } from "../../api/problem";
import { useNetwork } from "../../network/network";
import type { Hex } from "../../protocol";
import { Amount, Work } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import { Notice } from "../../ui/Notice";
import { bytes } from "../../ui/numbers";
import { Spinner } from "../../ui/Spinner";
import { assuranceName, knownProgram } from "./catalogue";
import { asksNow, priceOfTasks } from "./price";
import { nameOf, type Program, useBook, usePrograms } from "./usePrograms";

const UploadModule = lazy(() => import("./UploadModule"));

/** The catalogue, and the way for a module of one's own. */
export function ProgramStep({ chosen, onChoose }: { chosen: Hex | null; onChoose: (program: Hex) => void }) {
  const programs = usePrograms();
  return (
    <>
      {programs.isPending ? <Spinner label="Loading the catalogue" /> : null}
      {programs.error ? (
        <Notice tone="bad" title="The catalogue did not come">
          <p>{messageOf(programs.error)}</p>
          <Button onPress={() => void programs.refetch()}>Try again</Button>
        </Notice>
      ) : null}
      {programs.data?.length === 0 ? (
        <Empty title="This market has no programs yet">
          <p>Upload the first one below.</p>
        </Empty>
      ) : null}
      {programs.data?.length ? (
        <RadioGroup
          aria-label="Program"
          className="programs"
          value={chosen ?? ""}
          onChange={(program) => onChoose(program as Hex)}
        >
          {programs.data.map((program) => (
            <ProgramChoice key={program.programId} program={program} />
          ))}
        </RadioGroup>
      ) : null}
      <OwnModule onAdmitted={onChoose} />
    </>
  );
}

/** The form for a module of one's own, loaded when it is opened. */
function OwnModule({ onAdmitted }: { onAdmitted: (program: Hex) => void }) {
  const [wasOpened, setOpened] = useState(false);
  return (
    <details onToggle={() => setOpened(true)}>
      <summary>Upload a module of your own</summary>
      {wasOpened ? (
        <Suspense fallback={<Spinner label="Loading the form" />}>
          <UploadModule onAdmitted={onAdmitted} />
        </Suspense>
      ) : null}
    </details>
  );
}

function ProgramChoice({ program }: { program: Program }) {
  const known = knownProgram(program.originalHash);
  const isReady = program.state === "registered";
  return (
    <Radio className="program" value={program.programId} isDisabled={!isReady}>
      <span className="row spread">
        <strong>{nameOf(program)}</strong>
        {isReady ? (
          <Badge>{assuranceName(program.class)}</Badge>
        ) : (
          <Badge tone="warn">being registered on the chain</Badge>
        )}
      </span>
      <span className="small">{known?.purpose ?? "Uploaded by somebody: nothing here vouches for what it does."}</span>
      <KnownPrice program={program} />
    </Radio>
  );
}

/** What the example costs with what devices ask now. */
function KnownPrice({ program }: { program: Program }) {
  const { data: book } = useBook();
  const { data: network } = useNetwork();
  const known = knownProgram(program.originalHash);
  if (!known) {
    return (
      <span className="small soft">
        At most <Work wu={BigInt(program.limitWU)} /> a task. Its price is known once you have a quote.
      </span>
    );
  }
  const asks = book ? asksNow(book.asks) : null;
  const total = known.exampleWU.reduce((sum, wu) => sum + wu, 0n);
  const fee = network?.feePpm ?? 0;
  return (
    <span className="small soft">
      Example: {known.exampleWU.length} tasks, <Work wu={total} />
      {asks ? (
        <>
          {", "}
          <Amount wei={priceOfTasks(known.exampleWU, asks.low, fee)} unit={asks.low === asks.high} />
          {asks.low === asks.high ? null : (
            <>
              {" to "}
              <Amount wei={priceOfTasks(known.exampleWU, asks.high, fee)} />
            </>
          )}
          {" now"}
        </>
      ) : book ? (
        ", no price: no device is there now"
      ) : null}
    </span>
  );
}

/** What a chosen program takes and gives, and its limits. */
export function ProgramFacts({ program }: { program: Program }) {
  const known = knownProgram(program.originalHash);
  return (
    <dl className="facts small">
      <dt>Program id</dt>
      <dd>
        <Hash value={program.programId} name="program id" />
      </dd>
      {known ? (
        <>
          <dt>Input</dt>
          <dd>{known.input}</dd>
          <dt>Output</dt>
          <dd>{known.output}</dd>
        </>
      ) : null}
      <dt>Limits</dt>
      <dd>
        <Work wu={BigInt(program.limitWU)} /> a task, {bytes(program.memoryPages * 65_536)} of memory
      </dd>
      <dt>Disputes</dt>
      <dd>
        {assuranceName(program.class)}; today a panel of three seats judges both classes, and two thirds honest seats
        are relied on.
      </dd>
    </dl>
  );
}
