import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type GivenFiles, storeWith } from "../../audit/blobs";
import { type Evidence, postingOf } from "../../audit/evidence";
import type { EpochFacts } from "../../audit/facts";
import { gatherAside } from "../../audit/pageGather";
import { completeFacts, readEpoch } from "../../audit/reader";
import { clientOf, useChain } from "../../chain/client";
import type { EventLog } from "../../chain/log";
import { POLL_MS } from "../../chain/useEventLog";
import { domainOf, EPOCH_DATA_BYTES_MAX } from "../../protocol";

const marked = { structuralSharing: false, placeholderData: keepPreviousData } as const;

/** What a person gave in place of blobs, as a key: other files give other evidence. */
export const fileMark = (files: GivenFiles): string =>
  [...files].map(([role, { mark }]) => `${role} ${mark}`).join("|");

/** An epoch in which nothing moves any more is read so seldom. */
const SETTLED_POLL_MS = 30_000;

/** Whether nothing of the epoch is left to be settled. */
const isSettled = (facts: EpochFacts): boolean =>
  (facts.state === "final" || facts.state === "void") && facts.outstanding.every(({ sum }) => sum === 0n);

/** The epoch as the chain has it; null where there is none. Read again while something may still happen to it. */
export function useEpochFacts(log: EventLog | undefined, epochId: bigint) {
  const network = useChain()?.network;
  return useQuery({
    ...marked,
    queryKey: ["epoch", network?.rpc, String(epochId)],
    refetchInterval: ({ state: { data } }) => (data && isSettled(data) ? SETTLED_POLL_MS : POLL_MS),
    enabled: log !== undefined && network !== undefined,
    queryFn: async () => {
      if (!log || !network) throw new Error("The chain is not known yet.");
      return (await readEpoch(clientOf(network), network, log, epochId)) ?? null;
    },
  });
}

/** The bytes of the epoch's data: from the store, or a given file; null where they cannot be had. */
export function useEpochData(facts: EpochFacts | undefined, files: GivenFiles) {
  const dataId = facts?.posted.args.head.dataId;
  return useQuery({
    structuralSharing: false,
    queryKey: ["epoch-data", dataId, fileMark(files)],
    enabled: dataId !== undefined,
    staleTime: Infinity,
    queryFn: async () => {
      if (!dataId) throw new Error("The epoch is not known yet.");
      return { raw: await storeWith(files)("data", dataId, EPOCH_DATA_BYTES_MAX) };
    },
  });
}

/** The leaves that the data shows, checked against the posting; once for each data. */
export function useEvidence(facts: EpochFacts | undefined, raw: Uint8Array | null | undefined, files: GivenFiles) {
  const network = useChain()?.network;
  return useQuery({
    structuralSharing: false,
    queryKey: ["evidence", facts?.posted.tx, String(facts?.epochId), fileMark(files), raw?.length],
    enabled: network !== undefined && facts !== undefined && raw instanceof Uint8Array,
    staleTime: Infinity,
    queryFn: ({ signal }) => {
      if (!network || !facts || !raw) throw new Error("The epoch is not known yet.");
      const domain = domainOf(network.chainId, network.addresses.JobEscrow);
      return gatherAside(postingOf(facts), raw, domain, signal);
    },
  });
}

/** The facts with stakes and the contract's draws of the leaves that the data names. */
export function useCompleteFacts(facts: EpochFacts | undefined, evidence: Evidence | undefined, mark: string) {
  const network = useChain()?.network;
  return useQuery({
    ...marked,
    queryKey: ["epoch-complete", String(facts?.epochId), facts?.log.head.hash, mark],
    enabled: network !== undefined && facts !== undefined && evidence !== undefined,
    queryFn: async () => {
      if (!network || !facts || !evidence) throw new Error("The epoch is not known yet.");
      return completeFacts(clientOf(network), network, facts, evidence);
    },
  });
}
