import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { api, ok } from "../../api/client";
import { messageOf } from "../../api/problem";
import { Amount } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { Empty } from "../../ui/Empty";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { TextField } from "../../ui/TextField";
import { ActionNotice, useAccount, useTokens, useWithdraw } from "../../wallet";
import { JobTable } from "./JobTable";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const POLL_MS = 5_000;

/** The jobs of the connected buyer, of another address, or all of them; no sign-in needed. */
export default function JobsPage() {
  const account = useAccount();
  const asked = new URLSearchParams(useSearch()).get("buyer");
  const buyer = asked === "all" ? null : asked && ADDRESS.test(asked) ? asked : (account.address ?? null);
  const isMine = buyer !== null && buyer.toLowerCase() === account.address?.toLowerCase();
  return (
    <div className="stack">
      <div className="row spread">
        <h1>{isMine ? "Your jobs" : buyer ? "Jobs of a buyer" : "All jobs"}</h1>
        <Link href="/buy" className="button button-primary">
          Buy work
        </Link>
      </div>
      {isMine ? <EscrowBalance /> : null}
      {account.status === "connecting" && !asked ? (
        <Spinner label="Looking for your wallet" />
      ) : (
        <Jobs key={buyer ?? "all"} buyer={buyer} />
      )}
      <OtherBuyer isMine={isMine} />
    </div>
  );
}

function Jobs({ buyer }: { buyer: string | null }) {
  const found = useInfiniteQuery({
    queryKey: ["jobs", buyer],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: 20, ...(buyer ? { buyer } : {}), ...(pageParam === null ? {} : { cursor: pageParam }) };
      return ok(api.GET("/v1/jobs", { params: { query }, signal }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: POLL_MS,
  });
  const jobs = found.data?.pages.flatMap((page) => page.jobs) ?? [];
  if (found.isPending) return <Spinner label="Loading the jobs" />;
  if (found.error && jobs.length === 0) {
    return (
      <Notice tone="bad" title="The jobs did not come">
        <p>{messageOf(found.error)}</p>
        <Button onPress={() => void found.refetch()}>Try again</Button>
      </Notice>
    );
  }
  if (jobs.length === 0) {
    return (
      <Empty title={buyer ? "This buyer has no jobs" : "Nobody has opened a job yet"}>
        <p>
          <Link href="/buy">Buy work</Link>: you see the price before you sign.
        </p>
      </Empty>
    );
  }
  return (
    <section className="card stack" aria-label="Jobs">
      {found.error ? <Notice tone="warn">Not the newest: {messageOf(found.error)}</Notice> : null}
      <JobTable jobs={jobs} withBuyer={buyer === null} />
      {found.hasNextPage ? (
        <div>
          <Button busy={found.isFetchingNextPage} onPress={() => void found.fetchNextPage()}>
            Older jobs
          </Button>
        </div>
      ) : null}
    </section>
  );
}

/** What lies in the escrow and no job has locked: refunds too. */
function EscrowBalance() {
  const { data } = useTokens();
  const withdraw = useWithdraw();
  if (!data || data.escrow === 0n) return null;
  return (
    <div className="card stack-tight">
      <div className="row spread">
        <span>
          Not locked in the escrow: <Amount wei={data.escrow} />
        </span>
        <Button busy={withdraw.busy} onPress={() => void withdraw.run(data.escrow)}>
          Withdraw it
        </Button>
      </div>
      <ActionNotice action={withdraw} />
    </div>
  );
}

function OtherBuyer({ isMine }: { isMine: boolean }) {
  const [address, setAddress] = useState("");
  const [, navigate] = useLocation();
  const isAddress = ADDRESS.test(address.trim());
  return (
    <details>
      <summary>Look at other jobs</summary>
      <form
        className="stack-tight"
        onSubmit={(event) => {
          event.preventDefault();
          if (isAddress) navigate(`/jobs?buyer=${address.trim()}`);
        }}
      >
        <TextField
          label="Buyer's address"
          value={address}
          onChange={setAddress}
          error={address !== "" && !isAddress ? "0x and 40 hex digits" : null}
        />
        <div className="row">
          <Button type="submit" isDisabled={!isAddress}>
            Show
          </Button>
          {isMine ? <Link href="/jobs?buyer=all">All jobs</Link> : <Link href="/jobs">{"Back to the start"}</Link>}
        </div>
      </form>
    </details>
  );
}
