/** What a market hands out with a lease, and everything that is checked of it before anything of it is run. */
import { bigUintFromJson, checkHex } from "../protocol/encoding.ts";
import {
  Bid,
  EncodingInvalid,
  Lease,
  ProtocolError,
  ZERO_ADDRESS,
  checkBidRules,
  checkUint,
  checksumAddress,
  domainOf,
  jobIdOf,
  programId,
  spanSet,
  spanSetOf,
  tasksOfSpans,
  type Address,
  type Domain,
  type Hex,
  type ProgramFacts,
  type SpanSet,
} from "../protocol/index.ts";
import { LeaseRefused } from "./errors.ts";

const HEARTBEAT_MIN_S = 0.2;
const HEARTBEAT_MAX_S = 3_600;
const BID_SIGNATURE_BYTES_MAX = 4_096;

/** A lease by its job and its fencing number. */
export type LeaseKey = `${Hex}/${bigint}`;

/** The key of a lease. */
export function keyOf({ jobId, leaseId }: Pick<Lease, "jobId" | "leaseId">): LeaseKey {
  return `${jobId}/${leaseId}`;
}

/** The lease that a key names. */
export function lookOf(key: LeaseKey): { jobId: Hex; leaseId: bigint } {
  const [jobId, leaseId] = key.split("/") as [Hex, string];
  return { jobId, leaseId: BigInt(leaseId) };
}

/** The market's network: its EIP-712 domain and its settler. Blobs are where the market is. */
export interface Network {
  readonly domain: Domain;
  readonly settler: Address;
}

/** What the market holds of this device for (job, period): the spans, their tasks' count and WU. */
export interface ReceiptBase {
  readonly spans: SpanSet;
  readonly count: number;
  readonly totalWU: bigint;
}

/** A lease with all that belongs to it, as the market sent it: nothing here is checked beyond its form. */
export interface Grant {
  readonly lease: Lease;
  readonly signature: Hex;
  readonly period: number;
  readonly base: ReceiptBase | null;
  readonly bid: Bid;
  readonly bidSignature: Hex;
  readonly program: ProgramFacts;
  readonly heartbeatS: number;
}

/** What this device asks of every lease. Prices in wei per GWU, memory in pages of 64 KiB. */
export interface Terms {
  readonly device: Address;
  readonly minPriceWeiPerGWU: bigint;
  readonly memoryPagesMax: number;
  readonly spansMax: number;
}

/** The job's task index of each task of the lease, rising. SpansInvalid where the job has no such span. */
export function tasksOfGrant({ lease, bid }: Grant): number[] {
  return tasksOfSpans(spanSet(lease.spans), bid.taskCount, bid.spanTasks);
}

/**
 * LeaseRefused unless the lease is the settler's, of the bid's own job, and on the device's terms.
 *
 * `now` is in Unix seconds. Checked here is all that needs neither blobs nor the chain nor the journal. Whether the
 * buyer signed is for the escrow, which alone can judge a contract wallet's signature.
 */
export function checkGrant(grant: Grant, network: Network, terms: Terms, now: number): void {
  try {
    checkSignatures(grant, network);
    checkSpans(grant, terms);
  } catch (error) {
    if (error instanceof ProtocolError) throw new LeaseRefused(error.reason, { cause: error });
    throw error;
  }
  checkTerms(grant, terms);
  checkTimes(grant, now);
}

function checkSignatures({ bid, lease, signature, program }: Grant, network: Network): void {
  checkBidRules(bid);
  if (jobIdOf(bid) !== lease.jobId) throw new LeaseRefused("the lease is of another job than the bid opens");
  const settler = bid.settler === ZERO_ADDRESS ? network.settler : bid.settler;
  Lease.checkSignature(lease, network.domain, signature, settler);
  if (programId(program) !== bid.programId) {
    throw new LeaseRefused("the program's facts are not those that the bid names");
  }
}

function checkSpans(grant: Grant, { spansMax }: Terms): void {
  const count = grant.lease.spans.length;
  if (count < 1 || count > spansMax) throw new LeaseRefused(`${count} spans, not 1 to ${spansMax}`);
  if (!tasksOfGrant(grant).length) throw new LeaseRefused("no tasks");
}

function checkTerms({ bid, lease, program }: Grant, terms: Terms): void {
  if (lease.device !== terms.device) throw new LeaseRefused(`the lease is for ${lease.device}`);
  if (lease.priceWeiPerGWU < terms.minPriceWeiPerGWU) {
    throw new LeaseRefused(`${lease.priceWeiPerGWU} wei per GWU, this device asks ${terms.minPriceWeiPerGWU}`);
  }
  if (lease.priceWeiPerGWU > bid.maxPriceWeiPerGWU) {
    throw new LeaseRefused("a price above the bid's: no claim would pay it");
  }
  if (bid.taskLimitWU > program.limitWU) {
    throw new LeaseRefused(`tasks of ${bid.taskLimitWU} WU, the program's limit is ${program.limitWU}`);
  }
  if (program.memoryPages > terms.memoryPagesMax) {
    throw new LeaseRefused(`${program.memoryPages} pages of memory, this device has ${terms.memoryPagesMax}`);
  }
}

function checkTimes({ bid, lease }: Grant, now: number): void {
  if (lease.expiry <= now) throw new LeaseRefused(`the lease expired ${Math.round(now - lease.expiry)} s ago`);
  if (lease.postBy < lease.expiry) throw new LeaseRefused("postBy lies before the expiry");
  if (bid.deadline <= now) throw new LeaseRefused("the bid's deadline has passed");
}

// --- JSON

/** Of GET /v1/network; names beyond ours are left alone. EncodingInvalid says what is missing. */
export function networkFromJson(value: unknown): Network {
  const fields = objectAt(value, "the network");
  const escrow = objectAt(fields.addresses, "addresses").JobEscrow;
  return {
    domain: domainOf(checkUint(fields.chain_id, 53, "chain_id"), checksumAddress(escrow, "JobEscrow")),
    settler: checksumAddress(fields.settler, "settler"),
  };
}

/** Back to JSON, for the journal. */
export function networkToJson({ domain, settler }: Network): Record<string, unknown> {
  return { chain_id: domain.chainId, addresses: { JobEscrow: domain.verifyingContract }, settler };
}

/** Of POST /v1/leases/next; names beyond ours are left alone. ProtocolError says what does not fit. */
export function grantFromJson(value: unknown): Grant {
  const fields = objectAt(value, "the lease");
  const heartbeatS = fields.heartbeatSeconds;
  if (typeof heartbeatS !== "number" || !(heartbeatS >= HEARTBEAT_MIN_S && heartbeatS <= HEARTBEAT_MAX_S)) {
    throw new EncodingInvalid(`heartbeatSeconds is ${String(heartbeatS)}`);
  }
  const bidSignature = checkHex(fields.bidSignature, undefined, "bidSignature");
  if (bidSignature.length > 2 + 2 * BID_SIGNATURE_BYTES_MAX) throw new EncodingInvalid("bidSignature is too long");
  return {
    lease: Lease.fromJson(fields.lease),
    signature: checkHex(fields.signature, 65, "signature"),
    period: checkUint(fields.period, 32, "period"),
    base: fields.receiptBase === null ? null : baseFromJson(fields.receiptBase),
    bid: Bid.fromJson(fields.bid),
    bidSignature,
    program: programFromJson(fields.program),
    heartbeatS,
  };
}

/** Back to JSON, for the journal. */
export function grantToJson(grant: Grant): Record<string, unknown> {
  return {
    lease: Lease.toJson(grant.lease),
    signature: grant.signature,
    period: grant.period,
    receiptBase: grant.base === null ? null : baseToJson(grant.base),
    bid: Bid.toJson(grant.bid),
    bidSignature: grant.bidSignature,
    program: programToJson(grant.program),
    heartbeatSeconds: grant.heartbeatS,
  };
}

function baseFromJson(value: unknown): ReceiptBase {
  const fields = objectAt(value, "receiptBase");
  if (!Array.isArray(fields.words)) throw new EncodingInvalid("words is not a list");
  const words = fields.words.map((word: unknown) => BigInt(checkHex(word, 32, "word")));
  return {
    spans: spanSetOf(checkUint(fields.firstWord, 32, "firstWord"), words),
    count: checkUint(fields.count, 32, "count"),
    totalWU: bigUintFromJson(fields.totalWU, 64, "totalWU"),
  };
}

function baseToJson({ spans, count, totalWU }: ReceiptBase): Record<string, unknown> {
  const words = spans.words.map((word) => `0x${word.toString(16).padStart(64, "0")}`);
  return { firstWord: spans.firstWord, words, count, totalWU: totalWU.toString() };
}

/** The facts of a program in their JSON form, whose programId has to be theirs; other names are left alone. */
export function programFromJson(value: unknown): ProgramFacts {
  const fields = objectAt(value, "the program");
  const facts: ProgramFacts = {
    assurance: checkUint(fields.class, 8, "class"),
    originalHash: checkHex(fields.originalHash, 32, "originalHash"),
    rewrittenHash: checkHex(fields.rewrittenHash, 32, "rewrittenHash"),
    codeRoot: checkHex(fields.codeRoot, 32, "codeRoot"),
    initialMemoryRoot: checkHex(fields.initialMemoryRoot, 32, "initialMemoryRoot"),
    limitWU: bigUintFromJson(fields.limitWU, 64, "limitWU"),
    memoryPages: checkUint(fields.memoryPages, 32, "memoryPages"),
    frameBytes: checkUint(fields.frameBytes, 32, "frameBytes"),
    toolVersion: checkUint(fields.toolVersion, 32, "toolVersion"),
  };
  if (checkHex(fields.programId, 32, "programId") !== programId(facts)) {
    throw new EncodingInvalid("programId is not that of the program's facts");
  }
  return facts;
}

function programToJson({ assurance, limitWU, ...rest }: ProgramFacts): Record<string, unknown> {
  const id = programId({ assurance, limitWU, ...rest });
  return { programId: id, class: assurance, limitWU: limitWU.toString(), ...rest };
}

/** The value if it is an object. */
export function objectAt(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EncodingInvalid(`${what} is not an object`);
  }
  return value as Record<string, unknown>;
}
