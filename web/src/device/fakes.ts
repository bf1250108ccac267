/** A market, a chain and a runner of our own interfaces, in memory, for the tests beside this file. */
import {
  Bid,
  Lease,
  Receipt,
  Session,
  Status,
  addressOf,
  amountOf,
  blobId,
  checkOutputs,
  decodeOutputs,
  domainOf,
  encodeManifest,
  fromHex,
  jobIdOf,
  manifestInputsRoot,
  manifestOf,
  programId,
  resultTree,
  spanSet,
  spansHash,
  tasksOfSpans,
  type Address,
  type Binding,
  type Hex,
  type ProgramFacts,
  type TaskResult,
} from "../protocol/index.ts";
import type { Clock } from "./agent.ts";
import type { Chain, Claims, Standing } from "./chain.ts";
import { LeaseRefused, MarketRefused, MarketUnreachable, type DeviceError } from "./errors.ts";
import { keyOf, type Grant, type LeaseKey, type Network, type ReceiptBase } from "./grants.ts";
import type { Delivery, Deployment, ListedProgram, MarketApi } from "./market.ts";
import type { Offer } from "./policy.ts";
import type { Outcome, Runner } from "./runner.ts";

const keyNamed = (byte: string): Hex => `0x${byte.repeat(32)}`;
export const KEYS = { settler: keyNamed("01"), buyer: keyNamed("02"), device: keyNamed("03"), other: keyNamed("04") };
export const ADDRESSES = {
  settler: addressOf(KEYS.settler),
  buyer: addressOf(KEYS.buyer),
  device: addressOf(KEYS.device),
  other: addressOf(KEYS.other),
};
export const DOMAIN = domainOf(31_337, `0x${"11".repeat(20)}`);
export const NETWORK: Network = { domain: DOMAIN, settler: ADDRESSES.settler };
export const START = 1_000_000;
export const PRICE = 1_000_000_000n;
const LEASE_S = 60;
const POST_BY_S = 120;
const SPAN_TASKS = 4;
const OUTPUT_BYTES_MAX = 32 * 2 ** 10;

/** A module, the smallest there is: the fake runner does not run it. */
export const MODULE = fromHex("0x0061736d01000000");

/** A program of that module. */
export const PROGRAM: ProgramFacts = {
  assurance: 1,
  originalHash: `0x${"aa".repeat(32)}`,
  rewrittenHash: blobId(MODULE),
  codeRoot: `0x${"00".repeat(32)}`,
  initialMemoryRoot: `0x${"bb".repeat(32)}`,
  limitWU: 1_000_000n,
  memoryPages: 1,
  frameBytes: 65_536,
  toolVersion: 1,
};

/** So many inputs of four bytes. */
export function inputsOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => Uint8Array.of(i, 1, 2, 3));
}

/** A bid over these inputs, a span four tasks. */
export function bidOf(inputs: readonly Uint8Array[], changes: Partial<Bid> = {}): Bid {
  const manifest = manifestOf(inputs);
  return Bid.of({
    buyer: ADDRESSES.buyer,
    programId: programId(PROGRAM),
    inputsRoot: manifestInputsRoot(manifest),
    manifest: blobId(encodeManifest(manifest)),
    taskCount: inputs.length,
    spanTasks: SPAN_TASKS,
    taskLimitWU: 1_000_000n,
    maxOutputBytes: OUTPUT_BYTES_MAX,
    maxPriceWeiPerGWU: PRICE,
    budget: 10n ** 18n,
    rateFloorPpm: 10_000,
    minStake: 0n,
    deadline: START + 10_000,
    settler: ADDRESSES.settler,
    maxFeePpm: 0,
    salt: `0x${"00".repeat(32)}`,
    ...changes,
  });
}

/** A lease of the bid as an honest market hands it out; `changes` go to the lease before it is signed. */
export function grantOf(bid: Bid, changes: Partial<Lease> = {}, rest: Partial<Grant> = {}): Grant {
  const lease = Lease.of({
    jobId: jobIdOf(bid),
    leaseId: 1n,
    spans: [0],
    device: ADDRESSES.device,
    priceWeiPerGWU: PRICE,
    expiry: START + LEASE_S,
    postBy: START + POST_BY_S,
    ...changes,
  });
  const signature = Lease.sign(lease, DOMAIN, KEYS.settler);
  const bidSignature = Bid.sign(bid, DOMAIN, KEYS.buyer);
  return { lease, signature, period: 0, base: null, bid, bidSignature, program: PROGRAM, heartbeatS: 3, ...rest };
}

/** Time that passes when somebody sleeps; heartbeats, which run beside everything else, do not move it. */
export class FakeClock implements Clock {
  time = START;

  now(): number {
    return this.time;
  }

  async sleep(seconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    if (seconds !== 3) this.time += seconds;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

type Fault = DeviceError | (() => void);

interface Held {
  readonly spans: Set<number>;
  readonly results: Map<number, TaskResult>;
  postBy: number;
}

/**
 * One job, one device, strict about receipts. `faults[method]` is what its next calls do instead, `after[method]` what
 * happens once their effect is there: an error is thrown, a function called.
 */
export class FakeMarket implements MarketApi {
  readonly faults: Partial<Record<keyof MarketApi, Fault[]>> = {};
  readonly after: Partial<Record<keyof MarketApi, Fault[]>> = {};
  readonly bid: Bid;
  readonly blobs = new Map<Hex, Uint8Array<ArrayBuffer>>();
  readonly receipts: Receipt[] = [];
  readonly released: LeaseKey[] = [];
  readonly offers: Offer[] = [];
  readonly bound: Binding[] = [];
  readonly accepted: number[] = [];
  readonly sent: Delivery[] = [];
  period = 0;
  polls = 0;
  /** Whether its answers to results bring the next lease. */
  pairs = true;
  sessions = 0;
  heartbeats = 0;
  tamper: (grant: Grant) => Grant = (grant) => grant;
  onIdle: () => void = () => undefined;
  device = ADDRESSES.device;
  readonly #clock: FakeClock;
  readonly #held = new Map<number, Held>();
  readonly #done = new Map<LeaseKey, string>();
  #open: number[];
  #live: Grant | null = null;
  #leases = 0n;

  constructor(clock: FakeClock, tasks = 10) {
    this.#clock = clock;
    const inputs = inputsOf(tasks);
    this.bid = bidOf(inputs);
    for (const blob of [encodeManifest(manifestOf(inputs)), MODULE]) this.blobs.set(blobId(blob), blob);
    this.#open = Array.from({ length: Math.ceil(tasks / SPAN_TASKS) }, (_, span) => span);
  }

  /** The live lease runs out, and its spans are for others. */
  loseLease(): void {
    this.#open = [...new Set([...this.#open, ...(this.#live?.lease.spans ?? [])])].sort((a, b) => a - b);
    this.#live = null;
  }

  deployment(): Promise<Deployment> {
    return this.#call("deployment", () => ({
      network: NETWORK,
      rpc: "http://chain.example",
      stakeVault: ADDRESSES.other,
      epochLedger: ADDRESSES.other,
      deployBlock: 0,
      confirmations: 0,
    }));
  }

  openSession(session: Session, signature: Hex): Promise<number> {
    return this.#call("openSession", () => {
      Session.checkSignature(session, DOMAIN, signature, this.device);
      this.sessions += 1;
      return this.#clock.time + 900;
    });
  }

  bind(binding: Binding): Promise<void> {
    return this.#call("bind", () => void this.bound.push(binding));
  }

  putOffer(offer: Offer): Promise<void> {
    return this.#call("putOffer", () => void this.offers.push(offer));
  }

  nextLease(_waitS: number, signal?: AbortSignal): Promise<Grant | null> {
    return this.#call("nextLease", () => {
      this.polls += 1;
      const grant = this.#grant();
      if (grant) return grant;
      this.onIdle();
      return hang(signal);
    });
  }

  #grant(): Grant | null {
    if (!this.#live && !this.#open.length) return null;
    this.#live ??= this.#lease();
    return this.tamper({ ...this.#live, period: this.period, base: this.#base() });
  }

  #lease(): Grant {
    const spans = this.#open.splice(0, 1);
    this.#leases += 1n;
    const now = Math.floor(this.#clock.time);
    const times = { expiry: now + LEASE_S, postBy: now + POST_BY_S };
    return grantOf(this.bid, { leaseId: this.#leases, spans, device: this.device, ...times });
  }

  heartbeat(key: LeaseKey): Promise<void> {
    return this.#call("heartbeat", () => {
      this.heartbeats += 1;
      this.#checkLive(key);
    });
  }

  release(key: LeaseKey): Promise<void> {
    return this.#call("release", () => {
      this.released.push(key);
      if (this.#live && keyOf(this.#live.lease) === key) this.loseLease();
    });
  }

  submit(key: LeaseKey, delivery: Delivery, wantsNext: boolean): Promise<Grant | null> {
    return this.#call("submit", () => {
      this.sent.push(delivery);
      this.#take(key, delivery);
      return wantsNext && this.pairs ? this.#grant() : null;
    });
  }

  #take(key: LeaseKey, delivery: Delivery): void {
    Receipt.checkSignature(delivery.receipt, DOMAIN, delivery.signature, this.device);
    this.receipts.push(delivery.receipt);
    const rows = delivery.results.map((result) => `${result.taskIndex}:${result.outputRoot}:${result.wu}`).join();
    const before = this.#done.get(key);
    if (before !== undefined) {
      if (before !== rows) throw new Error("a lease's results have changed");
      return;
    }
    const grant = this.#checkLive(key);
    if (delivery.receipt.period !== this.period) throw new MarketRefused(409, "period_closed", "posted", this.period);
    this.#accept(grant, delivery);
    this.#done.set(key, rows);
    this.accepted.push(...grant.lease.spans);
    this.#live = null;
  }

  getBlob(name: Hex, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#call("getBlob", () => {
      const blob = this.blobs.get(name);
      if (!blob || blob.length > limitBytes) throw new LeaseRefused("no such blob");
      return blob;
    });
  }

  putBlob(blob: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#call("putBlob", () => void this.blobs.set(blobId(blob), blob));
  }

  unfinalWei(): Promise<bigint | null> {
    return this.#call("unfinalWei", () => 0n);
  }

  medianAsk(): Promise<bigint | null> {
    return this.#call("medianAsk", () => PRICE);
  }

  programs(): Promise<ListedProgram[]> {
    return this.#call("programs", () => []);
  }

  // --- inside

  async #call<T>(method: keyof MarketApi, answer: () => T | Promise<T>): Promise<T> {
    await Promise.resolve();
    meet(this.faults[method]?.shift());
    const found = await answer();
    meet(this.after[method]?.shift());
    return found;
  }

  #checkLive(key: LeaseKey): Grant {
    if (!this.#live || keyOf(this.#live.lease) !== key) throw new MarketRefused(409, "lease_fenced", "handed on");
    if (this.#live.lease.expiry <= this.#clock.time) throw new MarketRefused(409, "lease_expired", "too late");
    return this.#live;
  }

  #book(): Held {
    const held = this.#held.get(this.period) ?? { spans: new Set(), results: new Map(), postBy: 2 ** 40 };
    this.#held.set(this.period, held);
    return held;
  }

  #base(): ReceiptBase | null {
    const { spans, results } = this.#book();
    if (!spans.size) return null;
    const totalWU = [...results.values()].reduce((sum, result) => sum + result.wu, 0n);
    return { spans: spanSet(spans), count: results.size, totalWU };
  }

  #accept(grant: Grant, { results, outputs, blob: inline, receipt }: Delivery): void {
    const held = this.#book();
    const blob = inline ?? this.blobs.get(outputs);
    if (!blob || blobId(blob) !== outputs) throw new Error("the outputs did not come");
    checkOutputs(results, decodeOutputs(blob, results.length, this.bid.maxOutputBytes));
    const spans = spanSet([...held.spans, ...grant.lease.spans]);
    for (const result of results) held.results.set(result.taskIndex, result);
    for (const span of grant.lease.spans) held.spans.add(span);
    held.postBy = Math.min(held.postBy, grant.lease.postBy);
    const tasks = tasksOfSpans(spans, this.bid.taskCount, this.bid.spanTasks);
    const tree = resultTree(tasks.map((task) => held.results.get(task) as TaskResult));
    const [totalWU = 0n, totalSquaredWU = 0n] = tree.top.sums;
    const expected: Receipt = {
      jobId: grant.lease.jobId,
      device: this.device,
      period: this.period,
      spansHash: spansHash(spans),
      resultsRoot: tree.root,
      count: tasks.length,
      totalWU,
      totalSquaredWU,
      amount: amountOf(totalWU, grant.lease.priceWeiPerGWU),
      postBy: held.postBy,
    };
    if (Receipt.structHash(expected) !== Receipt.structHash(receipt)) throw new Error("another receipt was expected");
    if (receipt.postBy <= this.#clock.time) throw new Error("signed after its postBy");
  }
}

/** Never answers, and fails when it is given up, as a long poll does. */
function hang(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => {
      reject(new MarketUnreachable("given up"));
    });
  });
}

function meet(fault: Fault | undefined): void {
  if (typeof fault === "function") fault();
  else if (fault) throw fault;
}

/** A chain that knows one device and attests what it is told. */
export class FakeChain implements Chain {
  readonly attested = new Set<Hex>([programId(PROGRAM)]);
  device: Standing = { owner: ADDRESSES.other, convicted: false, stake: 5n };

  isAttested(id: Hex): Promise<boolean> {
    return Promise.resolve(this.attested.has(id));
  }

  standing(): Promise<Standing> {
    return Promise.resolve(this.device);
  }

  claims(_device: Address, known: Claims): Promise<Claims> {
    return Promise.resolve(known);
  }

  head(): Promise<bigint> {
    return Promise.resolve(7n);
  }

  origin(): Promise<Hex> {
    return Promise.resolve(keyNamed("cd"));
  }
}

/** Results that depend on the input alone. `script` is what its next runs do first. */
export class FakeRunner implements Runner {
  runs = 0;
  tasksDone = 0;
  outputBytes = 2;
  readonly script: (() => void | Promise<void>)[] = [];
  #abort = new AbortController();

  /** Aborted when the running run is. */
  get aborted(): AbortSignal {
    return this.#abort.signal;
  }

  async run({ tasks }: { tasks: readonly { input: Uint8Array }[] }): Promise<Outcome[]> {
    this.#abort = new AbortController();
    this.runs += 1;
    await this.script.shift()?.();
    this.tasksDone = tasks.length;
    return tasks.map(({ input }) => ({
      status: Status.OK,
      output: new Uint8Array(this.outputBytes).fill(input[0] ?? 0),
      wu: 1_000n + BigInt(input[0] ?? 0),
    }));
  }

  abort(): void {
    this.#abort.abort();
  }

  close(): void {
    this.abort();
  }
}
