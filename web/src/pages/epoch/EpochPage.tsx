import { useState } from "react";
import { Link, useParams } from "wouter";
import type { GivenFiles } from "../../audit/blobs";
import { useEventLog } from "../../chain/useEventLog";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { ChainProblem } from "../../ui/ChainProblem";
import { EpochHead } from "./EpochHead";
import { EpochReport } from "./EpochReport";
import { FileDrop } from "./FileDrop";
import { fileMark, useCompleteFacts, useEpochData, useEpochFacts, useEvidence } from "./useEpoch";
import "./epoch.css";

/** One epoch: what was posted, drawn, said and paid, and its tasks run again in this page. */
export default function EpochPage() {
  const { epoch } = useParams<{ epoch: string }>();
  const number = /^[0-9]{1,20}$/.test(epoch) ? BigInt(epoch) : 0n;
  return (
    <div className="stack">
      <p className="small">
        <Link href="/audit">Audit</Link>
      </p>
      <h1>Epoch {epoch}</h1>
      <Epoch key={epoch} number={number} />
    </div>
  );
}

function Epoch({ number }: { number: bigint }) {
  const [files, setFiles] = useState<GivenFiles>(new Map());
  const { data: log, error, refetch, dataUpdatedAt } = useEventLog();
  const found = useEpochFacts(log, number);
  const facts = found.data ?? undefined;
  const { data } = useEpochData(facts, files);
  const evidence = useEvidence(facts, data?.raw, files);
  const complete = useCompleteFacts(facts, evidence.data, fileMark(files));
  const failed = error ?? found.error ?? evidence.error ?? complete.error;
  if (failed && !facts) return <ChainProblem error={failed} onRetry={() => void refetch()} />;
  if (found.data === null)
    return (
      <Notice tone="warn" title={`The chain has no epoch ${number}`}>
        <p>
          <Link href="/audit">All epochs</Link>
        </p>
      </Notice>
    );
  if (!facts) return <Spinner label="Reading the epoch from the chain" />;
  const told = complete.data && evidence.data ? { facts: complete.data, evidence: evidence.data } : null;
  return (
    <>
      {failed ? <ChainProblem error={failed} onRetry={() => void refetch()} /> : null}
      <EpochHead facts={facts} readAtMs={dataUpdatedAt} />
      {data && !data.raw ? (
        <Notice tone="warn" title="The epoch's data cannot be had">
          <p>
            The store has no blob of this id. What is below comes from the chain alone; give the data as a file to
            compare the rest.
          </p>
        </Notice>
      ) : null}
      <EpochReport
        key={fileMark(files)}
        facts={told?.facts ?? facts}
        evidence={told?.evidence ?? null}
        isMissing={data !== undefined && !data.raw}
        files={files}
      />
      <FileDrop files={files} onChange={setFiles} />
    </>
  );
}
