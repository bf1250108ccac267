/** The posting against itself: head, beacon round, seed, and whether the data gives what was posted. Pure. */
import { encodeAbiParameters } from "viem";
import { EpochLedger } from "../generated/EpochLedger";
import {
  type Address,
  type Bid,
  blobId,
  checkEntry,
  checkLeaf,
  debitOf,
  type Domain,
  type EpochData,
  epochSeed,
  faultsOf,
  fromHex,
  type Hex,
  keccak256,
  type LeafData,
  leaseSigner,
  numberedLeaves,
  parseEpochData,
  postedOf,
  ProtocolError,
  Receipt,
  receiptLeaf,
  tasksOfSpans,
} from "../protocol";
import { type EpochFacts, type Head, isSeeded, type Job, jobOf, openedOf } from "./facts";
import { agrees, compare, disagrees, type Finding, unknown } from "./findings";

/**
 * A posted leaf whose entry is the one posted; `debit` in wei. `unbacked` says why its data does not stand for it; where
 * it does, `lessor` signed its leases, `tasks` is the job's task of each position, `faults` are results that no run gives.
 */
export type Leaf = {
  readonly number: number;
  readonly entryIndex: number;
  readonly leafIndex: number;
  readonly jobId: Hex;
  readonly bid: Bid;
  readonly job: Job;
  readonly data: LeafData;
  readonly hash: Hex;
  readonly digest: Hex;
  readonly debit: bigint;
  readonly device: Address;
  readonly lessor: Address | null;
  readonly unbacked: string | null;
  readonly tasks: readonly number[];
  readonly faults: ReadonlyMap<number, string>;
};

/** The leaves that the data shows, and the findings on the way there; `unseen` says why a posted leaf is not among them. */
export type Evidence = {
  readonly leaves: readonly Leaf[];
  readonly unseen: ReadonlyMap<number, string>;
  readonly findings: readonly Finding[];
};

/** What data is held against: the head that was posted, and the jobs of its entries by id. */
export type Posting = { readonly head: Head; readonly jobs: ReadonlyMap<Hex, Job> };

/** The posting of an epoch, without anything else of the chain: fit for another thread. */
export function postingOf({ posted, log }: EpochFacts): Posting {
  const { head } = posted.args;
  const jobs = head.entries.flatMap(({ jobId }): [Hex, Job][] => {
    const job = jobOf(log, jobId);
    return job ? [[jobId, job]] : [];
  });
  return { head, jobs: new Map(jobs) };
}

const HEAD_TYPE = EpochLedger.filter((item) => item.type === "event" && item.name === "Posted").flatMap(({ inputs }) =>
  inputs.filter(({ name }) => name === "head"),
);

/** What the ledger stores of a head. */
export const headHashOf = (head: Head): Hex => keccak256(fromHex(encodeAbiParameters(HEAD_TYPE, [head])));

/** Head, round and debits as the posting's events and the contracts have them. */
export function checkPosting(facts: EpochFacts): Finding[] {
  const { head } = facts.posted.args;
  const findings = [
    compare("head", "its hash", facts.headHash, headHashOf(head), "hashed again from the posting's event"),
  ];
  const opened = openedOf(facts);
  if (!opened) return [...findings, disagrees("round", "the beacon's round", "none was fixed at the posting")];
  const due = Number(head.postBlock) + facts.beaconDelay;
  findings.push(compare("round", "the posting's block", Number(head.postBlock), facts.posted.block));
  findings.push(
    compare(
      "round",
      "the beacon's round",
      Number(opened.args.round),
      due,
      `${facts.beaconDelay} blocks after the posting`,
    ),
  );
  findings.push(compare("round", "the snapshot of seats", opened.args.snapshot, head.snapshot));
  return [...findings, ...debitFindings(facts)];
}

function debitFindings(facts: EpochFacts): Finding[] {
  const { head } = facts.posted.args;
  const debited = facts.log.named("JobEscrow", "JobDebited", { settler: head.settler });
  return head.entries.flatMap((entry, index) => {
    const event = debited.find(({ args, tx }) => tx === facts.posted.tx && args.jobId === entry.jobId);
    const topic = `entry ${index}`;
    if (!event) return [disagrees(topic, "the job's debit", `job ${entry.jobId} was not debited`)];
    return [
      compare(topic, "the job's debit, wei", event.args.sum, entry.sum),
      compare(topic, "the job's count of postings", event.args.period, head.periods[index]),
    ];
  });
}

/** The seed from the hash of the block that is the beacon's round. */
export function checkSeed(facts: EpochFacts): Finding[] {
  const seeded = facts.log.first("Attestations", "Seeded", { epochId: facts.epochId });
  if (!seeded || !isSeeded(facts)) {
    if (facts.state !== "void") return [unknown("seed", "the seed", "there is none yet")];
    return seeded
      ? [disagrees("seed", "the seed", "a void epoch has one")]
      : [agrees("seed", "the seed", "none came in time: the epoch is void")];
  }
  const round = Number(openedOf(facts)?.args.round ?? 0n);
  const randomness = facts.blockHashes.get(round);
  const stored = compare("seed", "the event's seed", facts.seed, seeded.args.seed);
  if (!randomness) return [stored, unknown("seed", "the seed", `the node has no block ${round}`, facts.seed)];
  const found = epochSeed(randomness, facts.epochId);
  return [
    stored,
    compare("seed", "the seed", facts.seed, found, `from the hash of block ${round} and the epoch's number`),
  ];
}

/** The leaves of the epoch's data; `raw` are the bytes of its blob, or of a file to be compared with it. */
export function gather(posting: Posting, raw: Uint8Array, domain: Domain): Evidence {
  const { head, jobs } = posting;
  const count = head.entries.reduce((sum, entry) => sum + entry.count, 0);
  const findings = [compare("data", "the blob's id", head.dataId, blobId(raw), `${raw.length} bytes hashed`)];
  const none = (why: string): Evidence => ({
    leaves: [],
    unseen: new Map(Array.from({ length: count }, (_, number) => [number, why])),
    findings,
  });
  let data: EpochData;
  try {
    data = parseEpochData(raw);
  } catch (error) {
    findings.push(disagrees("data", "its form", reasonOf(error)));
    return none("the epoch's data is malformed");
  }
  findings.push(compare("data", "its entries", head.entries.length, data.entries.length));
  if (data.entries.length !== head.entries.length) return none("the data has other entries");
  const good = data.entries.map((_, index) => entryMatches(posting, data, index, findings));
  const leaves = numberedLeaves(data).flatMap((place) => {
    const job = jobs.get(head.entries[place.entryIndex]?.jobId ?? "0x");
    return good[place.entryIndex] && job ? [leafOf(place, job, domain)] : [];
  });
  findings.push(...leaves.map(leafFinding));
  const seen = new Set(leaves.map(({ number }) => number));
  const missing = Array.from({ length: count }, (_, number) => number).filter((number) => !seen.has(number));
  return { leaves, unseen: new Map(missing.map((number) => [number, "its entry is not the one posted"])), findings };
}

function entryMatches({ head, jobs }: Posting, data: EpochData, index: number, findings: Finding[]): boolean {
  const [entry, posted] = [data.entries[index], head.entries[index]];
  if (!entry || !posted) return false;
  const topic = `entry ${index}`;
  const job = jobs.get(posted.jobId);
  if (!job) {
    findings.push(disagrees(topic, "its job", `job ${posted.jobId} was never opened`));
    return false;
  }
  try {
    const found = postedOf(entry, job.feePpm);
    findings.push(compare(topic, "the job's id", posted.jobId, found.jobId));
    findings.push(compare(topic, "the receipts' root", posted.subroot, found.subroot));
    findings.push(compare(topic, "the count of receipts", posted.count, found.count));
    findings.push(compare(topic, "the sum of debits, wei", posted.sum, found.sum));
    checkEntry(entry, job.feePpm, posted);
    return true;
  } catch (error) {
    findings.push(disagrees(topic, "its receipt tree", reasonOf(error)));
    return false;
  }
}

function leafOf(place: ReturnType<typeof numberedLeaves>[number], job: Job, domain: Domain): Leaf {
  const { number, entryIndex, leafIndex, leaf: data } = place;
  const { bid } = place.entry;
  const debit = debitOf(data.receipt.amount, job.feePpm, bid.rateFloorPpm);
  const unbacked = whyUnbacked(bid, data, domain);
  return {
    number,
    entryIndex,
    leafIndex,
    jobId: data.receipt.jobId,
    bid,
    job,
    data,
    hash: receiptLeaf(data.receipt, debit).hash,
    digest: Receipt.structHash(data.receipt),
    debit,
    device: data.receipt.device,
    lessor: unbacked === null ? leaseSigner(data, domain) : null,
    unbacked,
    tasks: unbacked === null ? tasksOfSpans(data.spans, bid.taskCount, bid.spanTasks) : [],
    faults: unbacked === null ? faultsOf(data, bid) : new Map<number, string>(),
  };
}

function whyUnbacked(bid: Bid, leaf: LeafData, domain: Domain): string | null {
  try {
    checkLeaf(bid, leaf, domain);
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

function leafFinding({ number, data, device, unbacked }: Leaf): Finding {
  const topic = `leaf ${number}`;
  if (unbacked !== null) return disagrees(topic, "its data", `not backed by it: ${unbacked}`);
  const parts = `spans, results root and sums of ${data.results.length} results, ${data.leases.length} leases, signatures`;
  return agrees(topic, "its data", `of ${device}: ${parts} recomputed`);
}

/** What the protocol says is wrong; anything else is a fault of ours and goes on up. */
export function reasonOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.reason;
  throw error;
}
