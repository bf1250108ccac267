import { useMemo } from "react";
import { type EpochLine, epochLines } from "../../audit/epochs";
import { useChain } from "../../chain/client";
import { useChainNow, useClocks } from "../../chain/clocks";
import type { EventLog } from "../../chain/log";
import { useEventLog } from "../../chain/useEventLog";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import { Spinner } from "../../ui/Spinner";
import { ChainProblem } from "../../ui/ChainProblem";
import { DisputesTable } from "./DisputesTable";
import { EpochsTable } from "./EpochsTable";
import { STATES_MAX, useEpochStates } from "../../audit/useEpochStates";

/** Epochs and disputes as they stand on the chain. */
export default function AuditPage() {
  const { data: log, error, refetch, dataUpdatedAt } = useEventLog();
  return (
    <div className="stack">
      <h1>Audit</h1>
      <p>
        Every settlement, read from the chain itself by this page: events and views through its RPC, never the
        market&apos;s database. Open an epoch to run its tasks again here and compare.
      </p>
      {error && !log ? <ChainProblem error={error} onRetry={() => void refetch()} /> : null}
      {log ? <Epochs log={log} readAtMs={dataUpdatedAt} /> : error ? null : <Spinner label="Reading the chain" />}
      {log ? <DisputesTable log={log} /> : null}
      <p className="small soft">
        The same and more from a terminal: <code>multitude audit epochs</code>, <code>multitude audit replay N</code>,{" "}
        <code>multitude audit verify-deployment</code>.
      </p>
    </div>
  );
}

function Epochs({ log, readAtMs }: { log: EventLog; readAtMs: number }) {
  const lines: EpochLine[] = useMemo(() => epochLines(log), [log]);
  const states = useEpochStates(
    log,
    useMemo(() => lines.map(({ id }) => id), [lines]),
  );
  const now = useChainNow(log, readAtMs);
  const { data: clocks } = useClocks();
  const network = useChain()?.network;
  return (
    <section className="stack-tight" aria-labelledby="epochs">
      <div className="row spread">
        <h2 id="epochs">Epochs</h2>
        <p className="small soft">
          Block <span className="number">{log.head.number}</span>, read from block{" "}
          <span className="number">{String(network?.deployBlock ?? 0n)}</span> on.{" "}
          <Hash value={network?.addresses.EpochLedger ?? ""} name="address of the ledger" />
        </p>
      </div>
      {lines.length === 0 ? (
        <Empty title="No epoch yet">
          <p>A settler posts one when devices have delivered work.</p>
        </Empty>
      ) : (
        <EpochsTable lines={lines} states={states.data} clocks={clocks} now={now} />
      )}
      {lines.length > STATES_MAX ? (
        <p className="small soft">
          The states of the newest {STATES_MAX} are shown; older ones say theirs when opened.
        </p>
      ) : null}
    </section>
  );
}
