/** What a device remembers of its leases: pure, built from facts alone, and the only source of receipts. */
import {
  ProtocolError,
  Receipt,
  amountOf,
  checkReceipt,
  resultToRow,
  resultTree,
  spanSet,
  spansHash,
  spansOf,
  type Hex,
  type TaskResult,
} from "../protocol/index.ts";
import { JournalCorrupt, LeaseRefused } from "./errors.ts";
import type { Fact, LeaseFact, Outcome } from "./facts.ts";
import { keyOf, lookOf, type Grant, type LeaseKey, type Network } from "./grants.ts";

/** A lease as the book knows it; `outcome` is null while it is being worked on, `period` is where its results go. */
export interface Holding {
  readonly key: LeaseKey;
  readonly grant: Grant;
  period: number;
  results: readonly TaskResult[];
  outputs: Hex | null;
  signed: Receipt | null;
  outcome: Outcome | null;
}

/** Leases by key. `apply` takes facts in the order in which they happened, live or from the journal. */
export class Book {
  network: Network | null = null;
  convicted = false;
  readonly holdings = new Map<LeaseKey, Holding>();
  current: LeaseKey | null = null;

  /** JournalCorrupt if the facts contradict each other. */
  constructor(facts: Iterable<Fact> = []) {
    for (const fact of facts) this.apply(fact);
  }

  // --- facts

  /** Takes a fact into the book; JournalCorrupt if it contradicts what is known. */
  apply(fact: Fact): void {
    switch (fact.fact) {
      case "network":
        this.network = fact.network;
        break;
      case "convicted":
        this.convicted = true;
        break;
      case "taken":
        this.#take(fact.key, fact.grant);
        break;
      case "settled":
        this.#settle(this.#held(fact.key), fact.outcome);
        break;
      default:
        this.#advance(this.#held(fact.key), fact);
    }
  }

  #take(key: LeaseKey, grant: Grant): void {
    if (this.current !== null || this.holdings.has(key)) {
      throw new JournalCorrupt(`lease ${key} taken twice, or beside lease ${this.current}`);
    }
    const fresh = { results: [], outputs: null, signed: null, outcome: null };
    this.holdings.set(key, { key, grant, period: grant.period, ...fresh });
    this.current = key;
  }

  #advance(holding: Holding, fact: Extract<LeaseFact, { fact: "results" | "moved" | "signed" }>): void {
    switch (fact.fact) {
      case "results":
        if (holding.results.length) throw new JournalCorrupt(`lease ${fact.key} has results already`);
        holding.results = fact.results;
        holding.outputs = fact.outputs;
        break;
      case "moved":
        if (fact.period <= holding.period) {
          throw new JournalCorrupt(`lease ${fact.key} moved back to period ${fact.period}`);
        }
        holding.period = fact.period;
        holding.signed = null;
        break;
      case "signed":
        // INVARIANT: one lease has one receipt in a period, and the book alone says which.
        if (!isSameReceipt(fact.receipt, this.receiptOf(fact.key))) {
          throw new JournalCorrupt(`the receipt signed for lease ${fact.key} is not that of its results`);
        }
        holding.signed = fact.receipt;
    }
  }

  #settle(holding: Holding, outcome: Outcome): void {
    if (outcome === "accepted" && holding.signed === null) {
      throw new JournalCorrupt(`lease ${holding.key} accepted without a receipt`);
    }
    if (this.current === holding.key) this.current = null;
    if (outcome === "dropped" && holding.signed === null) this.holdings.delete(holding.key);
    else holding.outcome = outcome;
  }

  #held(key: LeaseKey): Holding {
    const holding = this.holdings.get(key);
    if (!holding) throw new JournalCorrupt(`lease ${key} was never taken`);
    return holding;
  }

  // --- questions

  /** The lease being worked on. */
  get workingOn(): Holding | null {
    return this.current === null ? null : this.#held(this.current);
  }

  /** What the market has accepted for (job, period), as far as this device was told. */
  accepted(jobId: Hex, period: number): Holding[] {
    return this.#of(jobId).filter((holding) => holding.period === period && holding.outcome === "accepted");
  }

  /** The cumulative receipt that carries a lease's results; JournalCorrupt where there can be none. */
  receiptOf(key: LeaseKey): Receipt {
    const holding = this.#held(key);
    const { lease, bid } = holding.grant;
    const parts = [holding, ...this.accepted(lease.jobId, holding.period).filter((part) => part.key !== key)];
    const results = parts.flatMap((part) => part.results).sort((a, b) => a.taskIndex - b.taskIndex);
    try {
      const tree = resultTree(results);
      const [totalWU, totalSquaredWU] = sumsOf(tree.top.sums);
      const receipt: Receipt = {
        jobId: lease.jobId,
        device: lease.device,
        period: holding.period,
        spansHash: spansHash(spanSet(parts.flatMap((part) => part.grant.lease.spans))),
        resultsRoot: tree.root,
        count: results.length,
        totalWU,
        totalSquaredWU,
        amount: amountOf(totalWU, lease.priceWeiPerGWU),
        postBy: Math.min(...parts.map((part) => part.grant.lease.postBy)),
      };
      checkReceipt(receipt, bid);
      return receipt;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new JournalCorrupt(`no receipt for lease ${key}: ${error.reason}`, { cause: error });
    }
  }

  /** Says how these results differ from ones that this device signed for the same task before; null if not. */
  conflict(key: LeaseKey, results: readonly TaskResult[]): string | null {
    const before = this.#of(lookOf(key).jobId).filter((holding) => holding.signed !== null && holding.key !== key);
    const signed = new Map(before.flatMap((holding) => holding.results).map((result) => [result.taskIndex, result]));
    const other = results.find((result) => !isSameResult(signed.get(result.taskIndex) ?? result, result));
    return other ? `task ${other.taskIndex} came out differently than when it was signed before` : null;
  }

  /**
   * Facts that bring the book in line with the market's receipt base before this lease is taken.
   *
   * LeaseRefused where they cannot be brought in line, or where a cumulative receipt could not carry the lease: signing
   * on such a base would contradict what this device signed before.
   */
  reconcile(grant: Grant, now: number): LeaseFact[] {
    this.#checkFence(grant);
    const held = this.accepted(grant.lease.jobId, grant.period);
    const base = new Set(grant.base ? spansOf(grant.base.spans) : []);
    const late = held.some((holding) => holding.grant.lease.postBy <= now);
    const lapsed = held.filter((holding) => late && !holding.grant.lease.spans.some((span) => base.has(span)));
    const kept = held.filter((holding) => !lapsed.includes(holding));
    const missing = kept.flatMap((holding) => holding.grant.lease.spans).filter((span) => !base.has(span));
    if (missing.length) {
      throw new LeaseRefused(`the market does not have span ${Math.min(...missing)}, which it accepted`);
    }
    const found = this.#answered(grant, base, kept);
    checkBase(grant, [...kept, ...found], base);
    const settled = (outcome: Outcome) => (holding: Holding) =>
      ({ fact: "settled", key: holding.key, outcome }) satisfies LeaseFact;
    return [...lapsed.map(settled("lapsed")), ...found.map(settled("accepted"))];
  }

  #checkFence(grant: Grant): void {
    const known = this.#of(grant.lease.jobId);
    if (known.some((holding) => holding.grant.lease.leaseId >= grant.lease.leaseId)) {
      throw new LeaseRefused(`lease ${keyOf(grant.lease)} is not newer than the last`);
    }
    if (known.some((holding) => holding.period > grant.period)) {
      throw new LeaseRefused(`period ${grant.period} of ${keyOf(grant.lease)} is over`);
    }
  }

  /** Leases whose acceptance was never told, and that the base shows to have been accepted. */
  #answered(grant: Grant, base: ReadonlySet<number>, kept: readonly Holding[]): Holding[] {
    const open = new Set(base);
    for (const span of kept.flatMap((holding) => holding.grant.lease.spans)) open.delete(span);
    const found: Holding[] = [];
    for (const holding of this.#of(grant.lease.jobId)) {
      const spans = holding.grant.lease.spans;
      const isUnknown = holding.outcome === "unknown" && holding.period === grant.period;
      if (!isUnknown || !spans.every((span) => open.has(span))) continue;
      found.push(holding);
      for (const span of spans) open.delete(span);
    }
    if (open.size) {
      throw new LeaseRefused(`the market has span ${Math.min(...open)}, of which this journal has no results`);
    }
    return found;
  }

  #of(jobId: Hex): Holding[] {
    return [...this.holdings.values()].filter((holding) => holding.grant.lease.jobId === jobId);
  }

  // --- forgetting

  /** Forgets each (job, period) of which no receipt will be signed or posted any more. */
  prune(now: number): void {
    const groups = new Map<string, Holding[]>();
    const newest = new Map<Hex, number>();
    for (const holding of this.holdings.values()) {
      const { jobId } = holding.grant.lease;
      const name = `${jobId}/${holding.period}`;
      groups.set(name, [...(groups.get(name) ?? []), holding]);
      newest.set(jobId, Math.max(newest.get(jobId) ?? 0, holding.period));
    }
    for (const group of groups.values()) {
      const isLate = group.every((holding) => holding.grant.lease.postBy < now);
      const isOld = group.some((holding) => holding.period < (newest.get(holding.grant.lease.jobId) ?? 0));
      if ((!isLate && !isOld) || group.some((holding) => holding.key === this.current)) continue;
      for (const holding of group) this.holdings.delete(holding.key);
    }
  }

  /** Whether the journal still needs this fact, so that replaying what is kept gives this book again. */
  keeps(fact: Fact): boolean {
    if (fact.fact === "network" || fact.fact === "convicted") return true;
    const holding = this.holdings.get(fact.key);
    if (!holding) return false;
    return fact.fact !== "signed" || fact.receipt.period === holding.period;
  }
}

/** Whether two receipts say the same. */
export function isSameReceipt(a: Receipt | null, b: Receipt): boolean {
  return a !== null && Receipt.structHash(a) === Receipt.structHash(b);
}

function isSameResult(a: TaskResult, b: TaskResult): boolean {
  return resultToRow(a).join() === resultToRow(b).join();
}

function checkBase(grant: Grant, held: readonly Holding[], base: ReadonlySet<number>): void {
  if (grant.lease.spans.some((span) => base.has(span))) {
    throw new LeaseRefused("the lease is over spans that were accepted in this period");
  }
  if (held.some((holding) => holding.grant.lease.priceWeiPerGWU !== grant.lease.priceWeiPerGWU)) {
    throw new LeaseRefused("another price than earlier in this period");
  }
  const results = held.flatMap((holding) => holding.results);
  const totalWU = results.reduce((sum, result) => sum + result.wu, 0n);
  if ((grant.base?.count ?? 0) !== results.length || (grant.base?.totalWU ?? 0n) !== totalWU) {
    throw new LeaseRefused("the market's count or WU of this period are not those that were signed");
  }
}

function sumsOf([totalWU, totalSquaredWU]: readonly bigint[]): [bigint, bigint] {
  if (totalWU === undefined || totalSquaredWU === undefined) throw new JournalCorrupt("a tree without sums");
  return [totalWU, totalSquaredWU];
}
