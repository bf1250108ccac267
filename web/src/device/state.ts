/**
 * The device as a pure state machine: events in, instructions out; clock and randomness are passed in. The twin of
 * `worker/state.py`: a change of one is a change of both.
 *
 * ```
 * idle --lease--> checking --ready--> running --results--> submitting --accepted or refused--> idle
 *                     |                   |                                 any ----> stopped
 *                     +--- refused, expired, failed: back to idle without a receipt
 * ```
 *
 * In every phase at most one step is outstanding; sessions are opened on the way to the next step.
 */
import type { TaskResult } from "../protocol/index.ts";
import { Book, type Holding } from "./book.ts";
import { IllegalTransition, LeaseRefused } from "./errors.ts";
import { taken, type Fact, type Outcome } from "./facts.ts";
import { checkGrant, keyOf, tasksOfGrant, type Grant, type Network, type Terms } from "./grants.ts";
import { ANSWERS, type Answer, type AnswerOf, type Event, type Instruction, type Step, type StepOf } from "./moves.ts";

export const BACKOFF_BASE_S = 0.5;
export const BACKOFF_MAX_S = 15;
const SESSION_MARGIN_S = 60;
const POLL_INTERVAL_MIN_S = 0.25;
const PAUSE_POLL_S = 1;
const STORY_LENGTH = 50;
const STOPPING = "the device is stopping";

/** Where the device stands with its lease. */
export type Phase = "idle" | "checking" | "running" | "submitting" | "stopped";

/** Every legal change of phase. */
export const TRANSITIONS: Readonly<Record<Phase, readonly Phase[]>> = {
  idle: ["checking", "stopped"],
  checking: ["running", "idle", "stopped"],
  running: ["submitting", "idle", "stopped"],
  submitting: ["idle", "stopped"],
  stopped: [],
};

/** The machine. `handle` is all that moves it; `book` is what survives a crash. */
export class Machine {
  readonly book: Book;
  terms: Terms;
  #phase: Phase;
  readonly #random: () => number;
  #renewAt = 0;
  #step: Step | null = null;
  #tickets = 0;
  #failures = 0;
  #polledAt = Number.NEGATIVE_INFINITY;
  #isStopping = false;
  #now = 0;
  readonly #story: string[] = [];

  /** Resumes from the journal's facts; `random` gives [0, 1). JournalCorrupt if the facts contradict each other. */
  constructor(terms: Terms, random: () => number, facts: Iterable<Fact> = []) {
    this.terms = terms;
    this.#random = random;
    this.book = new Book(facts);
    const holding = this.book.workingOn;
    this.#phase = holding === null ? "idle" : holding.results.length ? "submitting" : "checking";
  }

  /** Where it stands. */
  get phase(): Phase {
    return this.#phase;
  }

  /** Whether it finishes what it has and then ends. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** What happened last, oldest first. */
  get story(): readonly string[] {
    return this.#story;
  }

  /** The first instructions. `now` is in Unix seconds, here and below. */
  start(now: number): Instruction[] {
    this.#now = now;
    this.#tell(`started ${this.#phase} with ${this.book.holdings.size} leases known`);
    return this.book.convicted ? this.#stop("this device was convicted") : this.#next();
  }

  /**
   * The instructions that an event leads to, records first.
   *
   * IllegalTransition, with the story, for an answer that its step does not have.
   */
  handle(event: Event, now: number): Instruction[] {
    this.#now = now;
    this.#tell(event.is);
    if (this.#phase === "stopped") return [];
    switch (event.is) {
      case "heartbeatRefused":
        return this.#onHeartbeatRefused(event);
      case "deviceConvicted":
        return this.#onConvicted();
      case "shutdownAsked":
        return this.#onShutdown();
      default:
        return this.#onAnswer(event);
    }
  }

  #onAnswer(event: Answer): Instruction[] {
    const step = this.#step;
    if (step === null || event.ticket !== step.ticket) return [];
    if (!ANSWERS[step.do].includes(event.is)) {
      throw new IllegalTransition(this.#tale(`${event.is} does not answer ${step.do}`));
    }
    this.#step = null;
    switch (event.is) {
      case "sessionOpened":
        return this.#onSessionOpened(event);
      case "sessionLost":
        return this.#onSessionLost();
      case "unreachable":
        return this.#onUnreachable(event.retryAfterS);
      case "waited":
        return this.#next();
      case "paused":
        return [this.#wait(PAUSE_POLL_S)];
      case "noLease":
        return this.#onNoLease();
      case "leaseGiven":
        return this.#take(event.grant);
      case "workReady":
        return this.#onWorkReady(event);
      case "workRefused":
      case "deviceFailed":
        this.#failures += 1;
        return this.#giveBack(event.reason);
      case "resultsComputed":
        return this.#onResults(event);
      case "accepted":
        return this.#onAccepted(event.grant);
      case "periodClosed":
        return this.#onPeriodClosed(event.period);
      case "resultsRefused":
        return this.#refused(`${event.code}: ${event.reason}`);
    }
  }

  // --- sessions and polling

  #onSessionOpened({ network, expiresAt }: AnswerOf<"sessionOpened">): Instruction[] {
    const known = this.book.network;
    if (known !== null && !isSameNetwork(known, network)) {
      const here = `chain ${known.domain.chainId} with escrow ${known.domain.verifyingContract}`;
      return this.#stop(`the market settles elsewhere now; this device's journal belongs to ${here}`);
    }
    const lifetimeS = expiresAt - this.#now;
    if (lifetimeS <= 0) return this.#onUnreachable(0);
    this.#renewAt = expiresAt - Math.min(SESSION_MARGIN_S, lifetimeS / 4);
    return [...(known === null ? this.#record({ fact: "network", network }) : []), ...this.#next()];
  }

  #onSessionLost(): Instruction[] {
    this.#renewAt = 0;
    this.#failures += 1;
    return this.#failures === 1 ? this.#next() : this.#backoff();
  }

  #onUnreachable(retryAfterS: number): Instruction[] {
    this.#renewAt = 0;
    this.#failures += 1;
    if (this.#isStopping) return this.#stop("asked to, with the market out of reach", true);
    return this.#backoff(retryAfterS);
  }

  #onNoLease(): Instruction[] {
    this.#failures = 0;
    const early = this.#polledAt + POLL_INTERVAL_MIN_S - this.#now;
    return early > 0 ? [this.#wait(early)] : this.#next();
  }

  // --- a lease

  /** Begins on a lease that the market gave, where it may be taken. */
  #take(grant: Grant): Instruction[] {
    const key = keyOf(grant.lease);
    this.#tell(`lease ${key} of ${grant.lease.spans.length} spans in period ${grant.period}`);
    const network = this.book.network;
    if (network === null) throw new IllegalTransition(this.#tale("a lease came before a session"));
    try {
      checkGrant(grant, network, this.terms, this.#now);
      const facts = this.#record(...this.book.reconcile(grant, this.#now), taken(grant));
      this.#enter("checking");
      return [...facts, ...this.#next()];
    } catch (error) {
      if (!(error instanceof LeaseRefused)) throw error;
      this.#failures += 1;
      return [{ do: "release", key, reason: error.reason }, ...this.#backoff()];
    }
  }

  #onWorkReady({ work }: AnswerOf<"workReady">): Instruction[] {
    this.#enter("running");
    return [this.#ask({ do: "execute", ticket: this.#ticket(), work })];
  }

  #onResults({ results, outputs }: AnswerOf<"resultsComputed">): Instruction[] {
    const { key, grant } = this.#holding;
    const reason = misfit(grant, results) ?? this.book.conflict(key, results);
    if (reason !== null) {
      this.#failures += 1;
      return [{ do: "forget", outputs }, ...this.#giveBack(reason)];
    }
    const facts = this.#record({ fact: "results", key, results, outputs });
    this.#enter("submitting");
    return [...facts, ...this.#next()];
  }

  #onHeartbeatRefused({ key }: Extract<Event, { is: "heartbeatRefused" }>): Instruction[] {
    const isAtWork = this.#phase === "checking" || this.#phase === "running";
    if (this.book.current !== key || !isAtWork) return [];
    return [...this.#settle("dropped"), { do: "abort", key }, ...this.#next()];
  }

  // --- a receipt

  #onAccepted(grant: Grant | null): Instruction[] {
    this.#failures = 0;
    const kept = keptOf(this.#holding);
    const settled = [...this.#settle("accepted"), ...kept];
    if (grant === null) return [...settled, ...this.#next()];
    if (!this.#isStopping) return [...settled, ...this.#take(grant)];
    return [...settled, { do: "release", key: keyOf(grant.lease), reason: STOPPING }, ...this.#next()];
  }

  #onPeriodClosed(period: number): Instruction[] {
    const holding = this.#holding;
    if (period <= holding.period) return this.#refused(`its period ${holding.period} cannot become ${period}`);
    return [...this.#record({ fact: "moved", key: holding.key, period }), ...this.#next()];
  }

  /** The lease ends without the market's word that it has the receipt; the next receipt base tells. */
  #refused(reason: string): Instruction[] {
    this.#failures += 1;
    const kept = keptOf(this.#holding);
    this.#tell(`not accepted: ${reason}`);
    return [...this.#settle("unknown"), ...kept, ...this.#backoff()];
  }

  // --- ends

  #onConvicted(): Instruction[] {
    const key = this.book.current;
    const aborts: Instruction[] = key === null ? [] : [{ do: "abort", key }];
    return [...this.#record({ fact: "convicted" }), ...aborts, ...this.#stop("this device was convicted")];
  }

  #onShutdown(): Instruction[] {
    const isAgain = this.#isStopping;
    this.#isStopping = true;
    switch (this.#phase) {
      case "idle":
        return this.#stop("asked to", true);
      case "checking":
        return this.#giveBack(STOPPING);
      case "running":
        return isAgain ? this.#giveBack(STOPPING) : [];
      case "submitting":
        return isAgain || this.#failures > 0 ? this.#stop("asked to; the receipt is in the journal", true) : [];
      case "stopped":
        return [];
    }
  }

  #stop(reason: string, isAsked = false): Instruction[] {
    this.#enter("stopped");
    this.#step = null;
    return [{ do: "stop", reason, isAsked }];
  }

  /** Ends the current lease without a receipt. */
  #giveBack(reason: string): Instruction[] {
    const { key } = this.#holding;
    this.#tell(`gave ${key} back: ${reason}`);
    const facts = this.#settle("dropped");
    const following = this.#failures > 0 ? this.#backoff() : this.#next();
    return [...facts, { do: "abort", key }, { do: "release", key, reason }, ...following];
  }

  // --- steps

  /** The step that the phase wants, by way of a session. */
  #next(): Instruction[] {
    if (this.#phase === "idle" && this.#isStopping) return this.#stop("asked to", true);
    const overdue = this.#overdue();
    if (overdue !== null) return this.#giveUp(overdue);
    if (this.#renewAt <= this.#now) return [this.#ask({ do: "openSession", ticket: this.#ticket() })];
    switch (this.#phase) {
      case "checking":
        return [this.#ask({ do: "prepare", ticket: this.#ticket(), grant: this.#holding.grant })];
      case "submitting":
        return [this.#ask(this.#submission())];
      default:
        this.#polledAt = this.#now;
        return [this.#ask({ do: "poll", ticket: this.#ticket() })];
    }
  }

  #overdue(): string | null {
    const holding = this.book.workingOn;
    if (holding === null) return null;
    if (this.#phase === "checking" && holding.grant.lease.expiry <= this.#now) return "it expired";
    if (this.#phase === "submitting" && this.book.receiptOf(holding.key).postBy <= this.#now) {
      return "its postBy has passed";
    }
    return null;
  }

  /** INVARIANT: no receipt is signed after its postBy, and nothing is begun on an expired lease. */
  #giveUp(reason: string): Instruction[] {
    const holding = this.#holding;
    this.#tell(`gave ${holding.key} up: ${reason}`);
    const facts = this.#settle(holding.signed === null ? "dropped" : "unknown");
    return [...facts, ...keptOf(holding), { do: "abort", key: holding.key }, ...this.#next()];
  }

  #submission(): StepOf<"submit"> {
    const { key, results, outputs } = this.#holding;
    if (outputs === null) throw new IllegalTransition(this.#tale(`no results of lease ${key}`));
    const work = { key, receipt: this.book.receiptOf(key), results, outputs };
    return { do: "submit", ticket: this.#ticket(), ...work, wantsNext: !this.#isStopping };
  }

  /** A wait that doubles with each failure in a row, with jitter. */
  #backoff(atLeastS = 0): Instruction[] {
    if (this.#isStopping && this.#phase === "idle") return this.#stop("asked to", true);
    const ceiling = Math.min(BACKOFF_MAX_S, BACKOFF_BASE_S * 2 ** Math.min(this.#failures - 1, 16));
    return [this.#wait(Math.max(atLeastS, ceiling * (0.5 + this.#random() / 2)))];
  }

  #wait(seconds: number): Step {
    return this.#ask({ do: "wait", ticket: this.#ticket(), seconds });
  }

  #ask(step: Step): Step {
    this.#step = step;
    return step;
  }

  #ticket(): number {
    this.#tickets += 1;
    return this.#tickets;
  }

  // --- inside

  get #holding(): Holding {
    const holding = this.book.workingOn;
    if (holding === null) throw new IllegalTransition(this.#tale(`no lease in phase ${this.#phase}`));
    return holding;
  }

  #settle(outcome: Outcome): Instruction[] {
    const facts = this.#record({ fact: "settled", key: this.#holding.key, outcome });
    this.#enter("idle");
    return facts;
  }

  #record(...facts: Fact[]): Instruction[] {
    return facts.map((fact) => {
      this.book.apply(fact);
      return { do: "record", fact };
    });
  }

  #enter(phase: Phase): void {
    if (!TRANSITIONS[this.#phase].includes(phase)) {
      throw new IllegalTransition(this.#tale(`${this.#phase} to ${phase}`));
    }
    this.#tell(`${this.#phase} -> ${phase}`);
    this.#phase = phase;
  }

  #tell(line: string): void {
    this.#story.push(`${this.#now.toFixed(3)} ${line}`);
    if (this.#story.length > STORY_LENGTH) this.#story.shift();
  }

  #tale(what: string): string {
    return [what, ...this.#story].join("\n  ");
  }
}

function isSameNetwork(a: Network, b: Network): boolean {
  const isSameDomain =
    a.domain.chainId === b.domain.chainId && a.domain.verifyingContract === b.domain.verifyingContract;
  return isSameDomain && a.settler === b.settler;
}

function misfit(grant: Grant, results: readonly TaskResult[]): string | null {
  if (results.map((result) => result.taskIndex).join() !== tasksOfGrant(grant).join()) {
    return "results of other tasks than the lease's";
  }
  return results.some((result) => result.wu > grant.bid.taskLimitWU) ? "a result above the task limit" : null;
}

function keptOf({ outputs }: Holding): Instruction[] {
  return outputs === null ? [] : [{ do: "forget", outputs }];
}
