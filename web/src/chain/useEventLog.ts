import { queryOptions, useQuery } from "@tanstack/react-query";
import type { Network } from "../network/network";
import { clientOf, useChain } from "./client";
import { LogKeeper } from "./keeper";
import { LogReader } from "./reader";

/** How often the newest block is asked for while a page is looked at. */
export const POLL_MS = 2_000;

const readers = new Map<string, LogReader>();

function readerOf(network: Network): LogReader {
  const key = `${network.chainId} ${network.rpc} ${network.addresses.EpochLedger}`;
  let reader = readers.get(key);
  if (!reader) {
    reader = new LogReader(clientOf(network), network, new LogKeeper(network));
    readers.set(key, reader);
  }
  return reader;
}

const logQuery = (network: Network | undefined) =>
  queryOptions({
    queryKey: ["log", network?.chainId, network?.rpc],
    queryFn: () => {
      if (!network) throw new Error("The network is not known yet.");
      return readerOf(network).read();
    },
    enabled: network !== undefined,
    refetchInterval: POLL_MS,
    structuralSharing: false,
  });

/** The deployment's whole event log, kept up to the newest block while a page shows it. */
export function useEventLog() {
  return useQuery(logQuery(useChain()?.network));
}
