import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useChain } from "../../chain/client";
import { JobEscrow } from "../../generated/JobEscrow";
import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Notice } from "../../ui/Notice";
import { duration } from "../../ui/numbers";
import { ActionNotice, useAccount, useSend, WalletNotice } from "../../wallet";
import { type JobRecord, recordOf } from "./chain";
import { clockOf } from "./story";
import { isFinished, isOver, type Job } from "./useJob";

const PHASE_OPEN = 1;
const PHASE_CLOSING = 2;

function useRecord(job: Job) {
  const chain = useChain();
  return useQuery({
    queryKey: ["chain", "job", job.jobId, job.state],
    queryFn: async () => {
      if (!chain) throw new Error("The market has not told its network yet.");
      return recordOf(chain.client, chain.network, job.jobId);
    },
    enabled: chain !== undefined && !isOver(job),
    refetchInterval: 5_000,
  });
}

/** The buyer's way out: cancel on the chain, with what comes back and when. Nothing for others, or when it is over. */
export function Cancel({ job }: { job: Job }) {
  const account = useAccount();
  const record = useRecord(job);
  if (isOver(job)) return null;
  if (record.data?.phase === PHASE_CLOSING) return <Closing record={record.data} />;
  const isBuyer = account.status === "connected" && account.address === job.bid.buyer;
  if (!isBuyer || isFinished(job)) return null;
  if (record.error) return <WalletNotice error={record.error} onRetry={() => void record.refetch()} />;
  return record.data?.phase === PHASE_OPEN ? <CancelButton job={job} record={record.data} /> : null;
}

function CancelButton({ job, record }: { job: Job; record: JobRecord }) {
  const [isAsking, setAsking] = useState(false);
  const chain = useChain();
  const queries = useQueryClient();
  const send = useSend();
  if (!chain) return null;
  const cancel = async () => {
    const request = {
      address: chain.network.addresses.JobEscrow,
      abi: JobEscrow,
      functionName: "cancelJob",
      args: [job.jobId],
      what: "Cancel the job",
    } as const;
    if (await send.run(request)) {
      setAsking(false);
      await queries.invalidateQueries({ queryKey: ["job", job.jobId] });
    }
  };
  return (
    <>
      <Button kind="danger" onPress={() => setAsking(true)}>
        Cancel the job
      </Button>
      <Dialog title="Cancel this job?" isOpen={isAsking} onClose={() => setAsking(false)} role="alertdialog">
        <p>
          No more work is given out. What devices have done before may still be posted for a while, and is then paid.
        </p>
        <dl className="facts">
          <dt>Comes back</dt>
          <dd>
            <Amount wei={record.available} />, less what is posted until then
          </dd>
          <dt>Held by posted work</dt>
          <dd>
            <Amount wei={record.debited} />; what of it is not paid comes back too
          </dd>
          <dt>When</dt>
          <dd>{duration(chain.network.clocks.posting_grace ?? 0)} after the cancellation, to your escrow balance</dd>
        </dl>
        <ActionNotice action={send} onRetry={() => void cancel()} />
        <div className="row">
          <Button kind="danger" busy={send.busy} onPress={() => void cancel()}>
            Cancel the job on the chain
          </Button>
          <Button onPress={() => setAsking(false)}>Keep it</Button>
        </div>
      </Dialog>
    </>
  );
}

function Closing({ record }: { record: JobRecord }) {
  return (
    <Notice tone="warn" title="The job is closing">
      <p>
        <Amount wei={record.available} /> come back at {clockOf(record.closesAt)}, less what is posted until then; up to{" "}
        <Amount wei={record.debited} /> more if posted work is not paid. They go to the escrow balance of the buyer.
      </p>
    </Notice>
  );
}
