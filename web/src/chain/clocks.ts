import { queryOptions, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Network } from "../network/network";
import { clientOf, useChain } from "./client";
import type { EventLog } from "./log";
import { viewsAt } from "./views";

/** The clocks that the contracts were deployed with, in seconds. */
export type ChainClocks = {
  seed: number;
  commit: number;
  reveal: number;
  window: number;
  claim: number;
  panelDraw: number;
  panelCommit: number;
  panelReveal: number;
  panelAppeal: number;
};

/** Reads the clocks from the contracts themselves. */
export async function readClocks(network: Network): Promise<ChainClocks> {
  const view = viewsAt(clientOf(network), network);
  const [seed, commit, reveal, window, claim, panelDraw, panelCommit, panelReveal, panelAppeal] = await Promise.all([
    view("Attestations", "seedTimeout", []),
    view("Attestations", "commitTime", []),
    view("Attestations", "revealTime", []),
    view("Attestations", "windowTime", []),
    view("EpochLedger", "claimTime", []),
    view("Panel", "drawTime", []),
    view("Panel", "commitTime", []),
    view("Panel", "revealTime", []),
    view("Panel", "appealTime", []),
  ]);
  return { seed, commit, reveal, window, claim, panelDraw, panelCommit, panelReveal, panelAppeal };
}

const clocksQuery = (network: Network | undefined) =>
  queryOptions({
    queryKey: ["clocks", network?.chainId, network?.rpc],
    queryFn: () => {
      if (!network) throw new Error("The network is not known yet.");
      return readClocks(network);
    },
    enabled: network !== undefined,
    staleTime: Infinity,
  });

/** The contracts' clocks, which never change. */
export const useClocks = () => useQuery(clocksQuery(useChain()?.network));

/** The chain's time now (Unix seconds): that of its newest block, and what has passed since it was read. Moves every second. */
export function useChainNow(log: EventLog | undefined, readAtMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return log ? log.head.timestamp + Math.max(0, Math.floor((now - readAtMs) / 1000)) : 0;
}
