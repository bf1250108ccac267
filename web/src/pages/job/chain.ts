import type { PublicClient } from "viem";
import { EpochLedger } from "../../generated/EpochLedger";
import { JobEscrow } from "../../generated/JobEscrow";
import type { Network } from "../../network/network";
import { domainOf, type Hex } from "../../protocol";
import { problemOf } from "../../api/problem";
import type { SettledEpoch, SettledJob } from "./settled";
import type { Job } from "./useJob";

/** A job as the escrow has it: wei; `phase` 0 none, 1 open, 2 closing, 3 closed; `closesAt` in Unix seconds. */
export type JobRecord = { phase: number; closesAt: number; available: bigint; debited: bigint; feePpm: number };

/** Reads the job from the escrow. */
export async function recordOf(client: PublicClient, network: Network, jobId: Hex): Promise<JobRecord> {
  const found = await client.readContract({
    address: network.addresses.JobEscrow,
    abi: JobEscrow,
    functionName: "jobOf",
    args: [jobId],
  });
  return {
    phase: found.phase,
    closesAt: found.closesAt,
    available: found.available,
    debited: found.debited,
    feePpm: found.feePpm,
  };
}

/** The epochs that have paid for tasks of a job, from the ledger's events. */
async function settledEpochs(client: PublicClient, network: Network, jobId: Hex): Promise<SettledEpoch[]> {
  const from = { address: network.addresses.EpochLedger, abi: EpochLedger, fromBlock: network.deployBlock } as const;
  const claims = await client.getContractEvents({ ...from, eventName: "Claimed", args: { jobId }, strict: true });
  const receipts = new Map<bigint, Hex[]>();
  for (const { args } of claims)
    receipts.set(args.epochId, [...(receipts.get(args.epochId) ?? []), args.receiptDigest.toLowerCase() as Hex]);
  const epochId = [...receipts.keys()];
  if (epochId.length === 0) return [];
  const posts = await client.getContractEvents({ ...from, eventName: "Posted", args: { epochId }, strict: true });
  return posts
    .map(({ args: { epochId: epoch, head } }) => ({
      epoch,
      dataId: head.dataId,
      entries: head.entries,
      receipts: receipts.get(epoch) ?? [],
    }))
    .sort((a, b) => (a.epoch < b.epoch ? -1 : 1));
}

/** A blob as the market has it; whether its bytes are those of its id is for the caller to see. */
export async function blobOf(id: Hex): Promise<Uint8Array> {
  const response = await fetch(`/v1/blobs/${id}`);
  if (!response.ok) throw problemOf(response, null);
  return new Uint8Array(await response.arrayBuffer());
}

/** What the chain says of a job: all that its results are verified against. */
export async function settlementOf(
  client: PublicClient,
  network: Network,
  job: Job,
): Promise<{ job: SettledJob; epochs: SettledEpoch[] }> {
  const { feePpm } = await recordOf(client, network, job.jobId);
  const domain = domainOf(network.chainId, network.addresses.JobEscrow);
  return { job: { bid: job.bid, feePpm, domain }, epochs: await settledEpochs(client, network, job.jobId) };
}
