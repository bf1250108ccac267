import type { PublicClient } from "viem";
import { EpochLedger } from "../../generated/EpochLedger";
import { JobEscrow } from "../../generated/JobEscrow";
import type { Network } from "../../network/network";
import { blobId, domainOf, type Hex } from "../../protocol";
import { problemOf } from "../../api/problem";
import { type FetchBlob, ResultsInvalid, type SettledEpoch, settledTasks, type SettledTask } from "./settled";
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

/** A blob of the market, refused where its bytes are not those of its id. */
export const fetchBlob: FetchBlob = async (id) => {
  const response = await fetch(`/v1/blobs/${id}`);
  if (!response.ok) throw problemOf(response, null);
  const data = new Uint8Array(await response.arrayBuffer());
  if (blobId(data) !== id) throw new ResultsInvalid("A blob's bytes are not those of its id.");
  return data;
};

/** The job's final tasks, verified in this page against the chain and the blobs. */
export async function verifiedResults(client: PublicClient, network: Network, job: Job): Promise<SettledTask[]> {
  const { feePpm } = await recordOf(client, network, job.jobId);
  const domain = domainOf(network.chainId, network.addresses.JobEscrow);
  const epochs = await settledEpochs(client, network, job.jobId);
  return settledTasks({ bid: job.bid, feePpm, domain }, epochs, fetchBlob);
}
