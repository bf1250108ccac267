/** Carries out what the state machine asks for: over the network, in IndexedDB, in Web Workers; tells it what came of it. */
import {
  DeviceFailure,
  Receipt,
  Session,
  addressOf,
  amountOf,
  encodeOutputs,
  resultOf,
  toHex,
  type Address,
  type Hex,
  type TaskResult,
} from "../protocol/index.ts";
import { isSameReceipt } from "./book.ts";
import {
  ChainUnusable,
  IllegalTransition,
  LeaseLeft,
  MarketError,
  MarketRefused,
  MarketUnreachable,
  SessionRefused,
} from "./errors.ts";
import type { Fact } from "./facts.ts";
import { keyOf, type Grant, type LeaseKey } from "./grants.ts";
import type { Journal, Tally } from "./journal.ts";
import { INLINE_BYTES_MAX, type MarketApi } from "./market.ts";
import type { Event, Instruction, Step, StepOf, Work } from "./moves.ts";
import { Patience, offerOf, reasonToRest, termsOf, type Conditions, type DevicePolicy } from "./policy.ts";
import { isRefusal, type Preparation } from "./preparation.ts";
import { Inbox } from "./inbox.ts";
import type { Outcome, Runner } from "./runner.ts";
import { Machine } from "./state.ts";

const POLL_WAIT_S = 20;
const LOOK_S = 0.5;
const CONVICTED = "device_convicted";

/** Time, as an agent sees it; the tests have one of their own. */
export interface Clock {
  /** Unix seconds. */
  now(): number;
  /** Resolves after so long, or at once when the signal is aborted. */
  sleep(seconds: number, signal: AbortSignal): Promise<void>;
}

/** What an agent works with. `policy` and `conditions` are asked each time. */
export interface Parts {
  readonly key: Hex;
  readonly market: MarketApi;
  readonly journal: Journal;
  readonly preparation: Preparation;
  readonly runner: Runner;
  readonly clock: Clock;
  readonly random: () => number;
  /** Aborted when the agent ends, and with it what it still asks of the market. */
  readonly closing: AbortController;
  readonly policy: () => DevicePolicy;
  readonly conditions: () => Conditions;
  /** What is asked where the policy names no price, wei per GWU. */
  readonly ask: () => Promise<bigint>;
  /** Told whenever something changed that `view` shows. */
  readonly onChange: () => void;
}

/** Why an agent ended. */
export interface End {
  readonly reason: string;
  readonly isAsked: boolean;
}

/** An agent from outside. */
export interface View {
  readonly phase: Machine["phase"];
  readonly isStopping: boolean;
  readonly grant: Grant | null;
  readonly tasksDone: number;
  readonly tally: Tally;
  readonly rest: string | null;
  readonly nsPerWU: number | null;
  readonly ask: bigint | null;
  readonly hasSession: boolean;
  readonly trouble: string | null;
}

/** One device at work. `run` ends when the device is stopped, and says why. */
export class Agent {
  readonly address: Address;
  readonly #parts: Parts;
  readonly #machine: Machine;
  readonly #inbox = new Inbox<Event | Error | null>();
  readonly #busy = new Set<Promise<void>>();
  readonly #patience = new Patience();
  #beat: { key: LeaseKey; stop: AbortController } | null = null;
  #poll: AbortController | null = null;
  #execution: Promise<Outcome[]> | null = null;
  #tally: Tally;
  #nsPerWU: number | null;
  #ask: bigint | null = null;
  #trouble: string | null = null;
  #hasSession = false;
  #end: End = { reason: "cancelled", isAsked: false };

  /** Resumes from the journal. `nsPerWU` is the speed to offer until a lease has shown another. JournalCorrupt. */
  constructor(parts: Parts, tally: Tally, nsPerWU: number | null) {
    this.#parts = parts;
    this.#tally = tally;
    this.#nsPerWU = nsPerWU;
    this.address = addressOf(parts.key);
    this.#machine = new Machine(termsOf(this.address, 0n), parts.random, parts.journal.facts);
  }

  /**
   * Works until told to stop or until there is no more to do here.
   *
   * JournalCorrupt, StorageUnusable, IllegalTransition where going on would be wrong.
   */
  async run(): Promise<End> {
    try {
      await this.#parts.journal.forgetOutputsBut(this.#machine.book.workingOn?.outputs ?? null);
      await this.#dispatch(this.#machine.start(this.#parts.clock.now()));
      for (let event = await this.#inbox.take(); event !== null; event = await this.#inbox.take()) {
        if (event instanceof Error) throw event;
        await this.#dispatch(this.#machine.handle(event, this.#parts.clock.now()));
        await this.#tidy();
      }
      return this.#end;
    } finally {
      await this.#close();
    }
  }

  /** Finish the lease and stop; called again: stop at once. */
  shutDown(): void {
    this.#inbox.put({ is: "shutdownAsked" });
  }

  /** Looks at policy and conditions again: a pause need not wait for the end of a long poll. */
  reconsider(): void {
    if (this.#rest() !== null) this.#poll?.abort();
    this.#parts.onChange();
  }

  /** How it stands. */
  get view(): View {
    const { phase, isStopping, book } = this.#machine;
    return {
      phase,
      isStopping,
      grant: book.workingOn?.grant ?? null,
      tasksDone: this.#execution === null ? 0 : this.#parts.runner.tasksDone,
      tally: this.#tally,
      rest: this.#rest(),
      nsPerWU: this.#nsPerWU,
      ask: this.#ask,
      hasSession: this.#hasSession,
      trouble: this.#trouble,
    };
  }

  async #close(): Promise<void> {
    this.#stopBeat();
    this.#poll?.abort();
    this.#parts.closing.abort();
    this.#parts.runner.close();
    await Promise.allSettled(this.#busy);
  }

  // --- instructions

  /** Writes the facts first, then starts on the rest in order. */
  async #dispatch(instructions: readonly Instruction[]): Promise<void> {
    const facts = instructions.flatMap((one) => (one.do === "record" ? [one.fact] : []));
    if (facts.length) {
      this.#tally = facts.reduce((tally, fact) => this.#counted(tally, fact), this.#tally);
      await this.#parts.journal.append(facts, this.#tally);
    }
    const rest = instructions.filter((one) => one.do !== "record");
    if (rest.length) this.#spawn(this.#carryOut(rest));
    this.#tendBeat();
    this.#parts.onChange();
  }

  async #carryOut(instructions: readonly Instruction[]): Promise<void> {
    try {
      for (const instruction of instructions) await this.#perform(instruction);
    } catch (error) {
      this.#inbox.put(error instanceof Error ? error : new IllegalTransition(String(error)));
    }
  }

  async #perform(instruction: Instruction): Promise<void> {
    switch (instruction.do) {
      case "record":
        break;
      case "abort":
        await this.#abort();
        break;
      case "release":
        this.#note(instruction.reason);
        await this.#release(instruction.key);
        break;
      case "forget":
        await this.#parts.journal.forgetOutputs(instruction.outputs);
        break;
      case "stop":
        this.#end = instruction;
        this.#inbox.put(null);
        break;
      default:
        this.#inbox.put(await this.#answer(instruction));
    }
  }

  /** What came of a step; trouble with the market or the chain is the same for all of them. */
  async #answer(step: Step): Promise<Event> {
    const { ticket } = step;
    try {
      return await this.#take(step);
    } catch (error) {
      if (error instanceof SessionRefused) return { is: "sessionLost", ticket };
      if (!(error instanceof MarketUnreachable || error instanceof ChainUnusable)) throw error;
      this.#note(error.reason);
      this.#hasSession = false;
      const retryAfterS = error instanceof MarketUnreachable ? error.retryAfterS : 0;
      return { is: "unreachable", ticket, reason: error.reason, retryAfterS };
    }
  }

  async #take(step: Step): Promise<Event> {
    switch (step.do) {
      case "openSession":
        return this.#openSession(step);
      case "poll":
        return this.#pollOnce(step);
      case "prepare":
        return this.#prepare(step);
      case "execute":
        return this.#execute(step);
      case "submit":
        return this.#submit(step);
      case "wait":
        await this.#sleep(step.seconds);
        return { is: "waited", ticket: step.ticket };
    }
  }

  async #openSession({ ticket }: StepOf<"openSession">): Promise<Event> {
    try {
      const { network, expiresAt } = await this.#renewSession();
      return { is: "sessionOpened", ticket, network, expiresAt };
    } catch (error) {
      if (!(error instanceof MarketRefused)) throw error;
      this.#note(error.reason);
      return convictedOr(error, { is: "unreachable", ticket, reason: error.reason, retryAfterS: 0 });
    }
  }

  async #renewSession() {
    const { market, clock, policy, key } = this.#parts;
    const { network } = await market.deployment();
    const nonce = toHex(crypto.getRandomValues(new Uint8Array(32)));
    const session: Session = { device: this.address, issuedAt: Math.floor(clock.now()), nonce };
    const expiresAt = await market.openSession(session, Session.sign(session, network.domain, key));
    const ask = policy().minPriceWeiPerGWU ?? (await this.#parts.ask());
    this.#machine.terms = termsOf(this.address, ask);
    await market.putOffer(offerOf(ask, this.#nsPerWU));
    this.#ask = ask;
    this.#trouble = null;
    this.#hasSession = true;
    this.#parts.onChange();
    return { network, expiresAt };
  }

  async #pollOnce({ ticket }: StepOf<"poll">): Promise<Event> {
    if (!this.#mayWork()) return { is: "paused", ticket };
    this.#poll = new AbortController();
    try {
      const grant = await this.#parts.market.nextLease(POLL_WAIT_S, this.#poll.signal);
      this.#trouble = null;
      if (grant === null) return { is: "noLease", ticket };
      return { is: "leaseGiven", ticket, grant };
    } catch (error) {
      if (this.#poll.signal.aborted && error instanceof MarketUnreachable) return { is: "paused", ticket };
      if (!(error instanceof MarketRefused)) throw error;
      this.#note(error.reason);
      return convictedOr(error, { is: "sessionLost", ticket });
    } finally {
      this.#poll = null;
    }
  }

  async #prepare({ ticket, grant }: StepOf<"prepare">): Promise<Event> {
    try {
      return { is: "workReady", ticket, work: await this.#parts.preparation.prepare(grant) };
    } catch (error) {
      if (isRefusal(error) || error instanceof MarketRefused)
        return { is: "workRefused", ticket, reason: error.reason };
      throw error;
    }
  }

  async #execute({ ticket, work }: StepOf<"execute">): Promise<Event> {
    const begun = performance.now();
    const { runner, policy, journal } = this.#parts;
    try {
      this.#execution = runner.run(work, work.bid, policy());
      const outcomes = await this.#watch(this.#execution);
      const results = resultsOf(work, outcomes);
      const totalWU = results.reduce((sum, result) => sum + result.wu, 0n);
      this.#nsPerWU = ((performance.now() - begun) * 1e6) / Number(totalWU);
      const outputs = await journal.keepOutputs(encodeOutputs(outcomes.map((outcome) => outcome.output)));
      return { is: "resultsComputed", ticket, results, outputs };
    } catch (error) {
      if (!(error instanceof LeaseLeft || error instanceof DeviceFailure)) throw error;
      const reason = error instanceof DeviceFailure ? `This browser failed: ${error.reason}` : error.reason;
      return { is: "deviceFailed", ticket, reason };
    } finally {
      this.#execution = null;
    }
  }

  /** What the execution comes to. LeaseLeft once the policy has waited for it long enough. */
  async #watch(execution: Promise<Outcome[]>): Promise<Outcome[]> {
    const { clock, policy, conditions, closing } = this.#parts;
    const over = new AbortController();
    const ended = execution.finally(() => {
      over.abort();
    });
    ended.catch(() => undefined);
    while (!over.signal.aborted) {
      await clock.sleep(LOOK_S, AbortSignal.any([over.signal, closing.signal]));
      if (closing.signal.aborted) break;
      const reason = this.#patience.leave(policy(), conditions(), clock.now());
      this.#parts.onChange();
      if (reason === null || over.signal.aborted) continue;
      this.#parts.runner.abort();
      throw new LeaseLeft(reason);
    }
    return ended;
  }

  async #submit({ ticket, key, receipt, results, outputs, wantsNext }: StepOf<"submit">): Promise<Event> {
    const { market, journal, closing, key: secret } = this.#parts;
    const { book } = this.#machine;
    const blob = await journal.outputs(outputs);
    if (blob === null) {
      return { is: "resultsRefused", ticket, code: "outputs_lost", reason: "the outputs are gone from this browser" };
    }
    if (book.network === null) throw new IllegalTransition("submit before a session");
    if (closing.signal.aborted) throw new MarketUnreachable("the device is stopping");
    const signature = Receipt.sign(receipt, book.network.domain, secret);
    // INVARIANT: what is signed is in the journal before it is sent.
    if (!isSameReceipt(book.holdings.get(key)?.signed ?? null, receipt)) {
      const fact: Fact = { fact: "signed", key, receipt, signature };
      book.apply(fact);
      await journal.append([fact]);
    }
    try {
      const isSmall = blob.length <= INLINE_BYTES_MAX;
      if (!isSmall) await market.putBlob(blob);
      const work = { results, outputs, blob: isSmall ? blob : null, receipt, signature };
      const grant = await market.submit(key, work, wantsNext && this.#mayWork());
      this.#trouble = null;
      return { is: "accepted", ticket, grant: await this.#wanted(grant) };
    } catch (error) {
      if (!(error instanceof MarketRefused)) throw error;
      this.#note(error.reason);
      if (error.code === "period_closed" && error.period !== null) {
        return { is: "periodClosed", ticket, period: error.period };
      }
      return convictedOr(error, { is: "resultsRefused", ticket, code: error.code, reason: error.reason });
    }
  }

  /** A lease that the market gave, unless this device may not work now: then it goes back. */
  async #wanted(grant: Grant | null): Promise<Grant | null> {
    if (grant === null || this.#mayWork()) return grant;
    await this.#release(keyOf(grant.lease));
    return null;
  }

  /** Ends the execution, whatever it is at, and waits until it has ended. */
  async #abort(): Promise<void> {
    const execution = this.#execution;
    if (execution === null) return;
    this.#parts.runner.abort();
    await Promise.allSettled([execution]);
  }

  async #release(key: LeaseKey): Promise<void> {
    try {
      await this.#parts.market.release(key);
    } catch (error) {
      // The market finds out by itself when the lease runs out.
      if (!(error instanceof MarketError)) throw error;
    }
  }

  // --- heartbeats

  /** Sees to it that the lease being worked on, and no other, has heartbeats. */
  #tendBeat(): void {
    const holding = this.#machine.book.workingOn;
    const isWanted = holding !== null && this.#machine.phase !== "idle" && this.#machine.phase !== "stopped";
    if (this.#beat && (!isWanted || this.#beat.key !== holding.key)) this.#stopBeat();
    if (!isWanted || this.#beat) return;
    this.#beat = { key: holding.key, stop: new AbortController() };
    this.#spawn(this.#beatOn(holding.key, holding.grant.heartbeatS, this.#beat.stop.signal));
  }

  #stopBeat(): void {
    this.#beat?.stop.abort();
    this.#beat = null;
  }

  async #beatOn(key: LeaseKey, everyS: number, stop: AbortSignal): Promise<void> {
    for (;;) {
      await this.#parts.clock.sleep(everyS, stop);
      if (stop.aborted) return;
      try {
        await this.#parts.market.heartbeat(key);
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof MarketRefused) {
          this.#inbox.put(convictedOr(error, { is: "heartbeatRefused", key, code: error.code }));
          return;
        }
        if (error instanceof SessionRefused) await this.#renewQuietly();
        else if (error instanceof MarketUnreachable) this.#note(error.reason);
        else {
          this.#inbox.put(error instanceof Error ? error : new IllegalTransition(String(error)));
          return;
        }
      }
    }
  }

  async #renewQuietly(): Promise<void> {
    try {
      await this.#renewSession();
    } catch (error) {
      if (!(error instanceof MarketError)) throw error;
    }
  }

  // --- inside

  /** Keeps book and journal small, between leases. */
  async #tidy(): Promise<void> {
    const { phase } = this.#machine;
    if (phase !== "idle" && phase !== "checking") return;
    const { journal, clock } = this.#parts;
    this.#machine.book.prune(clock.now());
    if (journal.isLarge) await journal.compact((fact) => this.#machine.book.keeps(fact));
  }

  #counted(tally: Tally, fact: Fact): Tally {
    if (fact.fact !== "settled" || fact.outcome !== "accepted") return tally;
    const holding = this.#machine.book.holdings.get(fact.key);
    if (!holding) return tally;
    const wu = holding.results.reduce((sum, result) => sum + result.wu, 0n);
    const wei = amountOf(wu, holding.grant.lease.priceWeiPerGWU);
    return { tasks: tally.tasks + holding.results.length, wu: tally.wu + wu, wei: tally.wei + wei };
  }

  #mayWork(): boolean {
    return this.#rest() === null && !this.#parts.closing.signal.aborted;
  }

  #rest(): string | null {
    return reasonToRest(this.#parts.policy(), this.#parts.conditions());
  }

  #note(trouble: string): void {
    this.#trouble = trouble;
    this.#parts.onChange();
  }

  #sleep(seconds: number): Promise<void> {
    return this.#parts.clock.sleep(seconds, this.#parts.closing.signal);
  }

  #spawn(work: Promise<void>): void {
    const tracked = work.finally(() => this.#busy.delete(tracked));
    this.#busy.add(tracked);
  }
}

/** The results that are signed. */
function resultsOf(work: Work, outcomes: readonly Outcome[]): TaskResult[] {
  return work.tasks.map(({ index }, k) => {
    const outcome = outcomes[k];
    if (!outcome) throw new DeviceFailure(`task ${index} has no outcome`);
    return resultOf(index, outcome.output, outcome.wu, outcome.status);
  });
}

function convictedOr(error: MarketRefused, event: Event): Event {
  return error.code === CONVICTED ? { is: "deviceConvicted" } : event;
}
