import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { api, ok, type Schema } from "../../api/client";
import { Button } from "../../ui/Button";
import { Meter } from "../../ui/Meter";
import { Notice } from "../../ui/Notice";
import { WalletNotice } from "../../wallet";
import { bundledTold } from "./bundle";
import { save, zipNameOf, zipOf } from "./download";
import { ResultsInvalid } from "./settled";
import type { Tasks } from "./tasks";
import type { Job } from "./useJob";
import { useVerified } from "./useVerified";

const PAGE = 1_000;

/** All outputs as one zip: what is final verified in this page, or what is there now as the market tells it. */
export function Download({ job, tasks, children }: { job: Job; tasks: Tasks; children?: ReactNode }) {
  const verified = useVerified(job, tasks);
  const told = useMutation({
    mutationFn: async () => {
      const found = bundledTold(await allResults(job.jobId));
      const zip = await zipOf(job.jobId, job.bid.programId, job.bid.taskCount, found);
      save(zip, zipNameOf("unverified-results", job.jobId));
      return found.length;
    },
  });
  const { final, accepted, committed } = job.tasks;
  const count = (number: number) => number.toLocaleString("en-US");
  return (
    <>
      <div className="row">
        <Button kind="primary" busy={verified.isPending} isDisabled={final === 0} onPress={() => verified.mutate()}>
          Verify and download {final > 0 ? count(final) : ""} final
        </Button>
        {accepted + committed > 0 ? (
          <Button busy={told.isPending} onPress={() => told.mutate()}>
            Download what is there now
          </Button>
        ) : null}
        {children}
      </div>
      {verified.isPending ? (
        <Meter
          label="Verifying results in this page"
          share={final === 0 ? 0 : verified.checked / final}
          text={`${count(verified.checked)} of ${count(final)}`}
        />
      ) : null}
      <div aria-live="polite">
        {verified.data !== undefined ? (
          <Notice tone="good" title={`${count(verified.data)} of ${count(job.bid.taskCount)} results verified`}>
            <p>
              Compared in this page: the epochs' posted roots, the devices' and leases' signatures, and the root of each
              output, from the chain and the blobs. The market's word was not asked.
            </p>
          </Notice>
        ) : null}
        {verified.error instanceof ResultsInvalid ? (
          <Notice tone="bad" title="Outputs and chain do not agree: do not use them">
            <p>{verified.error.message}</p>
          </Notice>
        ) : verified.error ? (
          <WalletNotice error={verified.error} onRetry={() => verified.mutate()} />
        ) : null}
        {told.data !== undefined ? (
          <Notice tone="warn">
            {count(told.data)} results saved as the market tells them; none of them is verified.
          </Notice>
        ) : null}
        {told.error ? <WalletNotice error={told.error} onRetry={() => told.mutate()} /> : null}
      </div>
    </>
  );
}

async function allResults(job: string): Promise<Schema<"ResultBody">[]> {
  const found: Schema<"ResultBody">[] = [];
  let cursor: number | null = 0;
  while (cursor !== null) {
    const query: { cursor: number; limit: number } = { cursor, limit: PAGE };
    const page: Schema<"ResultPage"> = await ok(
      api.GET("/v1/jobs/{job}/results", { params: { path: { job }, query } }),
    );
    found.push(...page.results);
    cursor = page.next;
  }
  return found;
}
