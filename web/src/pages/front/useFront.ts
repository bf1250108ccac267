import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, ok } from "../../api/client";
import { beadsOf, verdictCounts } from "../../audit/beads";
import { paidTasks, type Totals, totalsOf } from "../../audit/totals";
import { clientOf, useChain } from "../../chain/client";
import type { BlockRef, EventLog } from "../../chain/log";
import { useEventLog } from "../../chain/useEventLog";
import { viewsAt } from "../../chain/views";
import { useEpochStates } from "../../audit/useEpochStates";
import { type Shown, shownOf } from "./beads";
import { BEADS_LYING } from "./shape";

const POLL_MS = 3_000;

/** Jobs with a short last span that are looked up; with more of them the count of paid tasks is an upper bound. */
const SHORT_MAX = 500;

/** What the chain says as of a block; null while it is not read. Tokens in wei, `beads` newest first. */
export type FromChain = {
  readonly block: BlockRef;
  readonly totals: Totals;
  readonly beads: readonly Shown[];
  readonly verdicts: { right: number; wrong: number; unavailable: number };
  readonly paidTasks: number | null;
  readonly held: readonly { readonly name: string; readonly wei: bigint }[] | null;
};

/** What the market says, each part null while it is not read; `at` in Unix seconds, prices in wei for a GWU. */
export type FromMarket = {
  readonly at: number | null;
  readonly devices: number | null;
  readonly work: { readonly tasks: number; readonly wu: bigint } | null;
  readonly asks: { readonly low: bigint; readonly high: bigint } | null;
  readonly paid: { readonly low: bigint; readonly high: bigint; readonly leases: number } | null;
  readonly bestBid: bigint | null;
  readonly freeTasks: number | null;
};

/** The network as it is now, each part from its source. */
export function useFront(): { chain: FromChain | null; market: FromMarket; chainError: unknown } {
  const { data: log, error } = useEventLog();
  const read = useChainSums(log);
  const folded = useMemo(
    () => log && { totals: totalsOf(log), newest: beadsOf(log, BEADS_LYING).reverse(), verdicts: verdictCounts(log) },
    [log],
  );
  const states = useEpochStates(
    log,
    (folded?.newest ?? []).map(({ id }) => id),
  ).data;
  const chain =
    log && folded
      ? {
          block: log.head,
          totals: folded.totals,
          verdicts: folded.verdicts,
          beads: folded.newest.map((bead) => shownOf(bead, states?.get(bead.id)?.state)),
          paidTasks: read?.paidTasks ?? null,
          held: read?.held ?? null,
        }
      : null;
  return { chain, market: useMarket(), chainError: log ? null : error };
}

/** What needs views beside the events. */
function useChainSums(log: EventLog | undefined) {
  const network = useChain()?.network;
  const { data } = useQuery({
    queryKey: ["front", network?.rpc, log?.head.hash],
    enabled: network !== undefined && log !== undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    queryFn: async () => {
      if (!network || !log) throw new Error("The chain is not known yet.");
      const view = viewsAt(clientOf(network), network, log.head.number);
      const { whole, short } = paidTasks(log, totalsOf(log).spans);
      const names = ["JobEscrow", "StakeVault", "Seats"] as const;
      const [held, lacking] = await Promise.all([
        Promise.all(
          names.map(async (name) => ({
            name,
            wei: await view("MultitudeToken", "balanceOf", [network.addresses[name]]),
          })),
        ),
        Promise.all(
          short.slice(0, SHORT_MAX).map(async ({ jobId, word, bit, lacks }) => {
            const bits = await view("JobEscrow", "paidWord", [jobId, word]);
            return (bits >> BigInt(bit)) & 1n ? lacks : 0;
          }),
        ),
      ]);
      return { held, paidTasks: whole - lacking.reduce((sum, lacks) => sum + lacks, 0) };
    },
  });
  return data;
}

function useMarket(): FromMarket {
  const polled = { refetchInterval: POLL_MS };
  const offers = useQuery({ queryKey: ["offers"], queryFn: () => ok(api.GET("/v1/offers")), ...polled });
  const stats = useQuery({ queryKey: ["stats"], queryFn: () => ok(api.GET("/v1/stats")), ...polled });
  const book = useQuery({ queryKey: ["book"], queryFn: () => ok(api.GET("/v1/book")), ...polled });
  const kept = stats.data?.work.filter(({ state }) => state !== "voided");
  const { asks = [], bids, paid } = book.data ?? {};
  const [low, high, best] = [asks[0], asks.at(-1), bids?.[0]];
  return {
    at: book.data?.at ?? null,
    devices: offers.data?.live ?? null,
    work: kept
      ? {
          tasks: kept.reduce((sum, { tasks }) => sum + tasks, 0),
          wu: kept.reduce((sum, { wu }) => sum + BigInt(wu), 0n),
        }
      : null,
    asks: low && high ? { low: BigInt(low.priceWeiPerGWU), high: BigInt(high.priceWeiPerGWU) } : null,
    paid: paid ? { low: BigInt(paid.low), high: BigInt(paid.high), leases: paid.leases } : null,
    bestBid: best ? BigInt(best.priceWeiPerGWU) : null,
    freeTasks: bids ? bids.reduce((sum, { tasks }) => sum + tasks, 0) : null,
  };
}
