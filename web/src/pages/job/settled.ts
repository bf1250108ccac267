import {
  type Address,
  type Bid,
  checkEntry,
  checkLeaf,
  checkOutputs,
  decodeOutputs,
  type Domain,
  faultsOf,
  type Hex,
  jobIdOf,
  type LeafData,
  parseEpochData,
  positionsOfLease,
  type PostedEntry,
  ProtocolError,
  Receipt,
} from "../../protocol";

/** A task that was paid for, with the output that the chain vouches for. */
export type SettledTask = {
  task: number;
  output: Uint8Array;
  wu: bigint;
  status: number;
  device: Address;
  epoch: bigint;
};

/** What the chain says of an epoch that paid for the job: its data, its entry of the job, the receipts it claimed. */
export type SettledEpoch = { epoch: bigint; dataId: Hex; entries: readonly PostedEntry[]; receipts: readonly Hex[] };

/** A job as its bid, its buyer's chain and the escrow have it. */
export type SettledJob = { bid: Bid; feePpm: number; domain: Domain };

/** Gives a blob by its id, checked against it. */
export type FetchBlob = (id: Hex) => Promise<Uint8Array>;

/** Outputs, blobs and chain do not agree. */
export class ResultsInvalid extends Error {
  override name = "ResultsInvalid";
}

/**
 * The settled tasks of a job in task order, from the chain's events and the blobs that they name; the market's word is
 * not asked. Every entry must be the one posted, every leaf backed by its device's and leases' signatures, every
 * output have the root of its result. `onFound` is told how many tasks each blob of outputs has added.
 * @throws ResultsInvalid and what `fetch` throws.
 */
export async function settledTasks(
  job: SettledJob,
  epochs: readonly SettledEpoch[],
  fetch: FetchBlob,
  onFound: (tasks: number) => void = () => undefined,
): Promise<SettledTask[]> {
  const tasks = new Map<number, SettledTask>();
  for (const epoch of epochs) {
    for (const found of await ofEpoch(job, epoch, fetch, onFound)) {
      const twice = tasks.get(found.task);
      if (twice)
        throw new ResultsInvalid(`Task ${found.task} was settled in epochs ${twice.epoch} and ${found.epoch}.`);
      tasks.set(found.task, found);
    }
  }
  return [...tasks.values()].sort((a, b) => a.task - b.task);
}

async function ofEpoch(
  job: SettledJob,
  epoch: SettledEpoch,
  fetch: FetchBlob,
  onFound: (tasks: number) => void,
): Promise<SettledTask[]> {
  const leaves = await checked(epoch.epoch, async () => claimedLeaves(job, epoch, await fetch(epoch.dataId)));
  const found = [];
  for (const leaf of leaves) {
    const work = () => ofLeaf(job, epoch.epoch, leaf, fetch, onFound);
    for (const task of await checked(epoch.epoch, work)) found.push(task);
  }
  return found;
}

async function checked<Found>(epoch: bigint, work: () => Promise<Found>): Promise<Found> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ProtocolError) throw new ResultsInvalid(`Epoch ${epoch}: ${error.reason}`);
    throw error;
  }
}

function claimedLeaves(
  { bid, feePpm }: SettledJob,
  { epoch, entries, receipts }: SettledEpoch,
  data: Uint8Array,
): LeafData[] {
  const id = jobIdOf(bid);
  const index = entries.findIndex((entry) => entry.jobId === id);
  const posted = entries[index];
  const entry = parseEpochData(data).entries[index];
  if (!posted || !entry) throw new ResultsInvalid(`Epoch ${epoch} has no entry of the job.`);
  checkEntry(entry, feePpm, posted);
  const leaves = entry.leaves.filter((leaf) => receipts.includes(Receipt.structHash(leaf.receipt)));
  if (leaves.length !== new Set(receipts).size)
    throw new ResultsInvalid(`Epoch ${epoch}: a claimed receipt is not in its data.`);
  return [...leaves];
}

async function ofLeaf(
  { bid, domain }: SettledJob,
  epoch: bigint,
  leaf: LeafData,
  fetch: FetchBlob,
  onFound: (tasks: number) => void,
): Promise<SettledTask[]> {
  checkLeaf(bid, leaf, domain);
  if (faultsOf(leaf, bid).size > 0) throw new ResultsInvalid(`Epoch ${epoch}: results that no run can give.`);
  const found: SettledTask[] = [];
  for (const [lease, blob] of leaf.outputs.entries()) {
    const results = positionsOfLease(leaf, lease, bid).flatMap((position) => leaf.results[position] ?? []);
    const outputs = decodeOutputs(await fetch(blob), results.length, bid.maxOutputBytes);
    checkOutputs(results, outputs);
    results.forEach((result, index) => {
      const output = outputs[index];
      if (output)
        found.push({
          task: result.taskIndex,
          output,
          wu: result.wu,
          status: result.status,
          device: leaf.receipt.device,
          epoch,
        });
    });
    onFound(results.length);
  }
  return found;
}
