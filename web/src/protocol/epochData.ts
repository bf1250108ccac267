/**
 * The epoch's data blob: everything that a replay of an epoch needs besides inputs and outputs (section 9).
 *
 * `parseEpochData` checks the form alone. Whether a leaf is backed by its data is asked leaf by leaf (`checkLeaf`);
 * whether an entry is the one posted is asked with `checkEntry`.
 */
import { checkCanonical, listOf, parseJson, toCanonicalJson } from "./blobs.ts";
import { ZERO_ADDRESS, checkHex, checkUint, checksumAddress, type Address, type Bytes, type Hex } from "./encoding.ts";
import { EncodingInvalid, EpochDataInvalid, ProtocolError, SpansInvalid } from "./errors.ts";
import type { Tree } from "./merkle.ts";
import { Bid, Lease, Receipt, jobIdOf } from "./messages.ts";
import { amountOf, checkReceipt, debitOf } from "./money.ts";
import { SPAN_WORDS_MAX, spanSet, spanSetOf, spansHash, spansOf, taskCountOfSpans, tasksOfSpans } from "./spans.ts";
import type { SpanSet } from "./spans.ts";
import { objectOf, type Domain } from "./structs.ts";
import { faultOf, receiptTree, resultFromRow, resultToRow, resultTree, type TaskResult } from "./trees.ts";
import { LEAVES_MAX } from "./verdicts.ts";

export const EPOCH_DATA_BYTES_MAX = 64 * 2 ** 20;

const ENTRIES_MAX = 32;
const LEASES_MAX = 10_000;
const RESULTS_MAX = 1_000_000;
const VERSION = 1;
const NAMES = new Set(["version", "settler", "entries"]);
const ENTRY_NAMES = new Set(["bid", "bidSignature", "leaves"]);
const LEAF_NAMES = new Set(["receipt", "signature", "firstWord", "words", "leases", "results", "outputs"]);
const LEASE_NAMES = new Set(["lease", "signature"]);

/** A lease with the signature of the job's settler. */
export interface SignedLease {
  readonly lease: Lease;
  readonly signature: Hex;
}

/** A job's part of an epoch as it was posted; `sum` is its debit in wei. */
export interface PostedEntry {
  readonly jobId: Hex;
  readonly subroot: Hex;
  readonly count: number;
  readonly sum: bigint;
}

/**
 * A receipt with all that it stands on: the spans, the leases, the results by position, the outputs by lease.
 *
 * `outputs[i]` is the blob id of the outputs of `leases[i]`.
 */
export interface LeafData {
  readonly receipt: Receipt;
  readonly signature: Hex;
  readonly spans: SpanSet;
  readonly leases: readonly SignedLease[];
  readonly results: readonly TaskResult[];
  readonly outputs: readonly Hex[];
}

/** One job's part of an epoch. */
export interface EntryData {
  readonly bid: Bid;
  readonly bidSignature: Hex;
  readonly leaves: readonly LeafData[];
}

/** A leaf with its number in the epoch and its place. */
export interface NumberedLeaf {
  readonly number: number;
  readonly entryIndex: number;
  readonly leafIndex: number;
  readonly entry: EntryData;
  readonly leaf: LeafData;
}

/** An epoch of one settler: entries in posted order. */
export interface EpochData {
  readonly settler: Address;
  readonly entries: readonly EntryData[];
}

/** The data of a blob; EpochDataInvalid if it is too long, malformed or not canonical. */
export function parseEpochData(blob: Uint8Array): EpochData {
  try {
    const { value, text } = parseJson(blob, EPOCH_DATA_BYTES_MAX);
    const parts = objectOf(value, NAMES, "the epoch's data");
    if (parts.version !== VERSION) throw new EncodingInvalid("an unknown version");
    const entries = listOf(parts.entries, ENTRIES_MAX, "entries").map(entryFromJson);
    const data = { settler: checksumAddress(parts.settler, "settler"), entries };
    checkCounts(data);
    checkCanonical(jsonOf(data), text);
    return data;
  } catch (error) {
    if (error instanceof EncodingInvalid || error instanceof SpansInvalid) throw new EpochDataInvalid(error.reason);
    throw error;
  }
}

/** The blob of the data, whose id is the posting's `dataId`. */
export function encodeEpochData(data: EpochData): Bytes {
  checkCounts(data);
  const blob = toCanonicalJson(jsonOf(data));
  if (blob.length > EPOCH_DATA_BYTES_MAX)
    throw new EpochDataInvalid(`${blob.length} bytes, above ${EPOCH_DATA_BYTES_MAX}`);
  return blob;
}

/** All leaves in the order of their numbers. */
export function numberedLeaves(data: EpochData): NumberedLeaf[] {
  const places = data.entries.flatMap((entry, entryIndex) =>
    entry.leaves.map((leaf, leafIndex) => ({ entryIndex, leafIndex, entry, leaf })),
  );
  return places.map((place, number) => ({ number, ...place }));
}

/** The job's receipt tree; `feePpm` is the job's, fixed at openJob. */
export function entryTree({ bid, leaves }: EntryData, feePpm: number): Tree {
  return receiptTree(
    leaves.map(({ receipt }) => [receipt, debitOf(receipt.amount, feePpm, bid.rateFloorPpm)] as const),
  );
}

/** What is posted of an entry. */
export function postedOf(entry: EntryData, feePpm: number): PostedEntry {
  const { root, count, top } = entryTree(entry, feePpm);
  return { jobId: jobIdOf(entry.bid), subroot: root, count, sum: top.sums[0] as bigint };
}

/** EpochDataInvalid unless the entry is the one that was posted, under the job's `feePpm`. */
export function checkEntry(entry: EntryData, feePpm: number, posted: PostedEntry): void {
  const found = asEpochDataInvalid(() => postedOf(entry, feePpm));
  for (const name of ["jobId", "subroot", "count", "sum"] as const) {
    if (found[name] !== posted[name]) throw new EpochDataInvalid(`the ${name} is not the one posted`);
  }
}

/**
 * EpochDataInvalid unless the receipt is the device's, and spans, results, amount and leases are the receipt's.
 *
 * Results that no run can give are not refused here: they are wrong results (`faultsOf`).
 */
export function checkLeaf(bid: Bid, leaf: LeafData, domain: Domain): void {
  asEpochDataInvalid(() => {
    checkReceiptOf(bid, leaf, domain);
    checkResults(leaf);
    checkLeases(bid, leaf, domain);
  });
}

/** WU of each position of the receipt, for the draw. */
export function wusOf(leaf: LeafData): bigint[] {
  return leaf.results.map(({ wu }) => wu);
}

/**
 * The positions whose result no run can give, with the reason: each is a wrong result (after `checkLeaf`).
 *
 * SpansInvalid if the spans are outside the job.
 */
export function faultsOf(leaf: LeafData, bid: Bid): Map<number, string> {
  const tasks = tasksOfSpans(leaf.spans, bid.taskCount, bid.spanTasks);
  const found = new Map<number, string>();
  leaf.results.forEach((result, k) => {
    const reason = faultOf(result, tasks[k] ?? -1, bid);
    if (reason !== null) found.set(k, reason);
  });
  return found;
}

/** The receipt's positions whose outputs are in `outputs[index]`, in the blob's order (after `checkLeaf`). */
export function positionsOfLease(leaf: LeafData, index: number, bid: Bid): number[] {
  const signed = leaf.leases[index];
  if (signed === undefined) throw new EpochDataInvalid(`lease ${index} of ${leaf.leases.length}`);
  const tasks = tasksOfSpans(leaf.spans, bid.taskCount, bid.spanTasks);
  const positions = new Map(tasks.map((task, k) => [task, k]));
  return tasksOfSpans(spanSet(signed.lease.spans), bid.taskCount, bid.spanTasks).map((task) => {
    const position = positions.get(task);
    if (position === undefined) throw new EpochDataInvalid(`task ${task} is not the receipt's`);
    return position;
  });
}

/** Who signed the leaf's leases, to be compared with the job's settler on chain (after `checkLeaf`). */
export function leaseSigner(leaf: LeafData, domain: Domain): Address {
  const [first] = leaf.leases;
  if (first === undefined) throw new EpochDataInvalid("no leases");
  return Lease.recover(first.lease, domain, first.signature);
}

// --- checks

function asEpochDataInvalid<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof ProtocolError && !(error instanceof EpochDataInvalid))
      throw new EpochDataInvalid(error.reason);
    throw error;
  }
}

function checkCounts({ entries }: EpochData): void {
  const count = entries.reduce((sum, entry) => sum + entry.leaves.length, 0);
  if (entries.length < 1 || entries.length > ENTRIES_MAX || count < 1 || count > LEAVES_MAX) {
    throw new EpochDataInvalid(`${entries.length} entries and ${count} leaves, not 1 to ${ENTRIES_MAX} and 128`);
  }
  if (entries.some((entry) => entry.leaves.length === 0)) throw new EpochDataInvalid("an entry without leaves");
  if (new Set(entries.map(({ bid }) => jobIdOf(bid))).size !== entries.length)
    throw new EpochDataInvalid("a job twice");
}

function checkReceiptOf(bid: Bid, { receipt, signature, spans }: LeafData, domain: Domain): void {
  if (receipt.jobId !== jobIdOf(bid)) throw new EpochDataInvalid("the receipt is of another job");
  Receipt.checkSignature(receipt, domain, signature, receipt.device);
  if (spansHash(spans) !== receipt.spansHash) throw new EpochDataInvalid("the spans are not those of spansHash");
  if (taskCountOfSpans(spans, bid.taskCount, bid.spanTasks) !== receipt.count) {
    throw new EpochDataInvalid("count is not that of the spans");
  }
  checkReceipt(receipt, bid);
}

function checkResults({ receipt, results }: LeafData): void {
  if (results.length !== receipt.count) {
    throw new EpochDataInvalid(`${results.length} results for ${receipt.count} tasks`);
  }
  const { root, top } = resultTree(results);
  if (root !== receipt.resultsRoot) throw new EpochDataInvalid("the results are not those of resultsRoot");
  if (top.sums[0] !== receipt.totalWU || top.sums[1] !== receipt.totalSquaredWU) {
    throw new EpochDataInvalid("the sums of the results are not the receipt's");
  }
}

function checkLeases(bid: Bid, leaf: LeafData, domain: Domain): void {
  const { receipt, leases } = leaf;
  const [first] = leases;
  if (first === undefined || leaf.outputs.length !== leases.length) {
    throw new EpochDataInvalid(`${leases.length} leases with ${leaf.outputs.length} output blobs`);
  }
  if (leases.some(({ lease }) => lease.jobId !== receipt.jobId || lease.device !== receipt.device)) {
    throw new EpochDataInvalid("a lease of another job or device");
  }
  const signers = new Set(leases.map(({ lease, signature }) => Lease.recover(lease, domain, signature)));
  if (signers.size !== 1 || (bid.settler !== ZERO_ADDRESS && !signers.has(bid.settler))) {
    throw new EpochDataInvalid("the leases are not signed by the job's settler");
  }
  const covered = leases.flatMap(({ lease }) => [...lease.spans]).sort((a, b) => a - b);
  const wanted = spansOf(leaf.spans);
  if (covered.length !== wanted.length || covered.some((span, k) => span !== wanted[k])) {
    throw new EpochDataInvalid("the leases do not cover each of the receipt's spans once");
  }
  const price = first.lease.priceWeiPerGWU;
  const isOnePrice = leases.every(({ lease }) => lease.priceWeiPerGWU === price);
  if (!isOnePrice || receipt.amount !== amountOf(receipt.totalWU, price)) {
    throw new EpochDataInvalid("the amount is not that of the leases' one price");
  }
  if (receipt.postBy !== leases.reduce((least, { lease }) => Math.min(least, lease.postBy), Infinity)) {
    throw new EpochDataInvalid("postBy is not the earliest of the leases");
  }
}

// --- JSON

function jsonOf({ settler, entries }: EpochData): unknown {
  return { version: VERSION, settler, entries: entries.map(entryToJson) };
}

function entryToJson({ bid, bidSignature, leaves }: EntryData): unknown {
  return { bid: Bid.toJson(bid), bidSignature, leaves: leaves.map(leafToJson) };
}

function leafToJson({ receipt, signature, spans, leases, results, outputs }: LeafData): unknown {
  return {
    receipt: Receipt.toJson(receipt),
    signature,
    firstWord: spans.firstWord,
    words: spans.words.map((word) => `0x${word.toString(16).padStart(64, "0")}`),
    leases: leases.map((signed) => ({ lease: Lease.toJson(signed.lease), signature: signed.signature })),
    results: results.map(resultToRow),
    outputs,
  };
}

function entryFromJson(value: unknown): EntryData {
  const parts = objectOf(value, ENTRY_NAMES, "an entry");
  return {
    bid: Bid.fromJson(parts.bid),
    bidSignature: checkHex(parts.bidSignature, undefined, "bidSignature"),
    leaves: listOf(parts.leaves, LEAVES_MAX, "leaves").map(leafFromJson),
  };
}

function leafFromJson(value: unknown): LeafData {
  const parts = objectOf(value, LEAF_NAMES, "a leaf");
  const words = listOf(parts.words, SPAN_WORDS_MAX, "words").map((word) => BigInt(checkHex(word, 32, "word of spans")));
  return {
    receipt: Receipt.fromJson(parts.receipt),
    signature: checkHex(parts.signature, 65, "signature"),
    spans: spanSetOf(checkUint(parts.firstWord, 32, "firstWord"), words),
    leases: listOf(parts.leases, LEASES_MAX, "leases").map(leaseFromJson),
    results: listOf(parts.results, RESULTS_MAX, "results").map(resultFromRow),
    outputs: listOf(parts.outputs, LEASES_MAX, "outputs").map((item) => checkHex(item, 32, "output")),
  };
}

function leaseFromJson(value: unknown): SignedLease {
  const parts = objectOf(value, LEASE_NAMES, "a lease");
  return { lease: Lease.fromJson(parts.lease), signature: checkHex(parts.signature, 65, "signature") };
}
