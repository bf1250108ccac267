/** The device of this browser profile: its key, its owner, its lock, and the agent while it works. Lives in a Web Worker. */
import {
  Binding,
  DeviceFailure,
  ProtocolError,
  addressOf,
  type Address,
  type Hex,
  type TypedMessage,
} from "../protocol/index.ts";
import { Agent, type Clock } from "./agent.ts";
import { measure, type Benchmark } from "./benchmark.ts";
import type { Chain, Claims, Standing } from "./chain.ts";
import { ChainUnusable, DeviceError, LeaseRefused, MarketError, MarketRefused } from "./errors.ts";
import { Journal, deviceKey, type DeviceStore, type Tally } from "./journal.ts";
import type { Deployment, MarketApi } from "./market.ts";
import { changed, defaultPolicy, type Conditions, type DevicePolicy } from "./policy.ts";
import { Preparation } from "./preparation.ts";
import type { Runner } from "./runner.ts";
import type { DeviceSnapshot, DeviceState, Earned } from "./snapshot.ts";
import { stateOf } from "./standing.ts";

const RETRY_S = 5;
const MONEY_S = 10;
const BINDING_S = 2;
const TELL_MS = 30;
const ONE_AT_A_TIME =
  "Waiting: a device without stake has one short lease at a time, and the next when the seats have attested the last.";

/** What a host works with: the browser's own things, which the tests replace. */
export interface HostParts {
  /** The market; its calls end when the signal is aborted. */
  readonly marketOf: (closing: AbortSignal) => MarketApi;
  readonly chainOf: (deployment: Deployment) => Chain;
  readonly openStore: (name: string) => Promise<DeviceStore>;
  readonly locks: Pick<LockManager, "request">;
  readonly runner: Runner;
  readonly clock: Clock;
  readonly random: () => number;
  readonly cores: number;
  /** What a benchmark belongs to. */
  readonly browser: string;
  readonly tell: (snapshot: DeviceSnapshot) => void;
}

/** What is known once the market and the chain have answered. */
interface Ground {
  readonly deployment: Deployment;
  readonly chain: Chain;
  readonly store: DeviceStore;
  readonly name: string;
  readonly key: Hex;
  readonly address: Address;
}

/** The device behind the page. */
export class DeviceHost {
  readonly #parts: HostParts;
  #ground: Ground | null = null;
  #opening: Promise<Ground | null> | null = null;
  #state: DeviceState = "loading";
  #reason: string | null = null;
  #lastError: string | null = null;
  #policy: DevicePolicy;
  #conditions: Conditions = { onBattery: null, isHidden: false, isOnline: true };
  #standing: Standing | null = null;
  #isBinding = false;
  #earned: Earned | null = null;
  #tally: Tally = { tasks: 0, wu: 0n, wei: 0n };
  #nsPerWU: number | null = null;
  #agent: Agent | null = null;
  #work: { cancel: AbortController; done: Promise<void> } | null = null;
  #money: AbortController | null = null;
  #telling: ReturnType<typeof setTimeout> | null = null;
  readonly #closing = new AbortController();
  readonly #market: MarketApi;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#market = parts.marketOf(this.#closing.signal);
    this.#policy = defaultPolicy(parts.cores);
  }

  // --- what the page asks for

  /** Learns the network and the device; one that was at work when its tab was closed goes on. */
  async open(): Promise<void> {
    const ground = await this.#open();
    if (ground && (await ground.store.get("values", "isWanted")) === true) this.#begin(ground);
  }

  /** Works, or works again. */
  async start(): Promise<void> {
    const ground = await this.#open();
    if (!ground) return;
    await this.#setPolicy({ isPaused: false });
    await ground.store.put("values", "isWanted", true);
    this.#begin(ground);
  }

  #begin(ground: Ground): void {
    if (this.#work) return;
    const cancel = new AbortController();
    const done = this.#run(ground, AbortSignal.any([cancel.signal, this.#closing.signal])).finally(() => {
      this.#work = null;
      this.#changed();
    });
    this.#work = { cancel, done };
  }

  /** No new lease from now on. */
  async pause(): Promise<void> {
    await this.#setPolicy({ isPaused: true });
  }

  /** Finishes the lease, then stops; called again, stops at once. */
  async finish(): Promise<void> {
    await this.#ground?.store.put("values", "isWanted", false);
    if (this.#agent) this.#agent.shutDown();
    else this.#work?.cancel.abort();
  }

  /** Changes wishes. */
  async setPolicy(changes: Partial<DevicePolicy>): Promise<void> {
    await this.#setPolicy(changes);
  }

  /** What the page sees of the machine. */
  setConditions(conditions: Conditions): void {
    this.#conditions = conditions;
    this.#agent?.reconsider();
    this.#changed();
  }

  /** The message with which an owner takes this device, for good. */
  async typed(owner: Address): Promise<TypedMessage> {
    const { address, deployment } = await this.#needed();
    const standing = await this.#readStanding();
    if (standing.owner !== null && standing.owner !== owner) {
      throw new DeviceError(`This device is bound for good to ${standing.owner}.`);
    }
    return Binding.typedData({ device: address, owner }, deployment.network.domain);
  }

  /** Has the market relay the binding; the chain shows it some blocks later. */
  async bind(owner: Address, signature: Hex): Promise<void> {
    const { key, address, deployment } = await this.#needed();
    const binding: Binding = { device: address, owner };
    const { domain } = deployment.network;
    Binding.checkSignature(binding, domain, signature, owner);
    await this.#market.bind(binding, Binding.sign(binding, domain, key), signature);
    this.#isBinding = true;
    this.#money?.abort();
    this.#changed();
  }

  /** Ends everything, as a closed tab does; for tests. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#agent?.shutDown();
    this.#agent?.shutDown();
    await this.#work?.done;
    this.#ground?.store.close();
  }

  // --- getting ready

  async #needed(): Promise<Ground> {
    const ground = await this.#open();
    if (!ground) throw new DeviceError(this.#reason ?? "The device is not ready.");
    return ground;
  }

  /** The ground, tried again until market and chain answer; null where this browser cannot have a device. */
  async #open(): Promise<Ground | null> {
    if (this.#ground) return this.#ground;
    this.#opening ??= this.#tryToOpen().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #tryToOpen(): Promise<Ground | null> {
    this.#show("loading");
    const ground = await this.#patiently(() => this.#found(), this.#closing.signal);
    if (!ground || this.#closing.signal.aborted) return null;
    this.#ground = ground;
    this.#show("off");
    void this.#followMoney(ground);
    return ground;
  }

  async #found(): Promise<Ground> {
    const { chainOf, openStore } = this.#parts;
    const deployment = await this.#market.deployment();
    const chain = chainOf(deployment);
    const { chainId, verifyingContract } = deployment.network.domain;
    const name = `multitude-device-${chainId}-${verifyingContract}-${(await chain.origin()).slice(2, 18)}`;
    const store = await openStore(name);
    const key = await deviceKey(store);
    const kept = (await store.get("values", "policy")) as Partial<DevicePolicy> | undefined;
    this.#policy = changed(this.#policy, kept ?? {}, this.#parts.cores);
    this.#tally = await (await Journal.open(store)).tally();
    const benchmark = (await store.get("values", "benchmark")) as Benchmark | undefined;
    this.#nsPerWU = benchmark?.nsPerWU ?? null;
    return { deployment, chain, store, name, key, address: addressOf(key) };
  }

  /** What `action` gives, tried again while market or chain do not answer; null when cancelled or hopeless. */
  async #patiently<T>(action: () => Promise<T>, cancelled: AbortSignal): Promise<T | null> {
    while (!cancelled.aborted) {
      try {
        const found = await action();
        this.#lastError = null;
        return found;
      } catch (error) {
        if (!(error instanceof MarketError || error instanceof ChainUnusable)) {
          this.#show("failed", sentenceOf(error));
          return null;
        }
        this.#lastError = error.reason;
        this.#changed();
        await this.#parts.clock.sleep(RETRY_S, cancelled);
      }
    }
    return null;
  }

  // --- working

  async #run(ground: Ground, cancelled: AbortSignal): Promise<void> {
    const { locks } = this.#parts;
    this.#show("starting");
    try {
      const isMine = await locks.request(ground.name, { ifAvailable: true }, async (lock) => {
        if (lock) await this.#runLocked(ground, cancelled);
        return lock !== null;
      });
      if (isMine) return;
      // A page that holds or waits for a lock is not frozen by the browser, and a closed one gives it back.
      this.#show(
        "elsewhere",
        "Another tab of this browser runs this device. This one takes over when that one is closed.",
      );
      await locks.request(ground.name, { signal: cancelled }, () => this.#runLocked(ground, cancelled));
    } catch (error) {
      if (cancelled.aborted) this.#show("off");
      else this.#show("failed", sentenceOf(error));
    }
  }

  /** INVARIANT: one agent at a time signs with this device's key, and it has read the whole journal before. */
  async #runLocked(ground: Ground, cancelled: AbortSignal): Promise<void> {
    this.#show("starting");
    const standing = await this.#patiently(() => this.#readStanding(), cancelled);
    if (!standing) {
      if (cancelled.aborted) this.#show("off");
      return;
    }
    if (standing.owner === null) {
      await ground.store.put("values", "isWanted", false);
      this.#show("off", null, "Bind this device to its owner first.");
      return;
    }
    const preparation = new Preparation(this.#market, ground.chain);
    await this.#benchmark(ground, preparation, cancelled);
    const { marketOf, runner, clock, random } = this.#parts;
    const closing = new AbortController();
    const journal = await Journal.open(ground.store);
    this.#tally = await journal.tally();
    if (cancelled.aborted) {
      this.#show("off");
      return;
    }
    this.#agent = new Agent(
      {
        key: ground.key,
        market: marketOf(closing.signal),
        closing,
        journal,
        preparation,
        runner,
        clock,
        random,
        policy: () => this.#policy,
        conditions: () => this.#conditions,
        ask: () => this.#medianAsk(),
        onChange: () => {
          this.#changed();
        },
      },
      this.#tally,
      this.#nsPerWU,
    );
    await this.#finished(ground, this.#agent);
  }

  async #finished(ground: Ground, agent: Agent): Promise<void> {
    try {
      const { reason, isAsked } = await agent.run();
      if (!isAsked) await ground.store.put("values", "isWanted", false);
      if (isAsked) this.#show("off");
      else this.#show("stopped", `Stopped: ${reason}.`);
    } finally {
      const { tally, nsPerWU } = agent.view;
      this.#tally = tally;
      this.#nsPerWU = nsPerWU;
      this.#agent = null;
    }
  }

  /** Measures where this browser was not measured yet; without programs to measure on, the first lease tells. */
  async #benchmark({ store }: Ground, preparation: Preparation, cancelled: AbortSignal): Promise<void> {
    const { browser, runner } = this.#parts;
    const known = (await store.get("values", "benchmark")) as Benchmark | undefined;
    if (known?.browser === browser || cancelled.aborted) return;
    this.#show("measuring");
    const nsPerWU = await this.#patiently(
      async () => measure(await this.#market.programs(), preparation, runner),
      cancelled,
    );
    this.#show("starting");
    if (nsPerWU === null) return;
    this.#nsPerWU = nsPerWU;
    await store.put("values", "benchmark", { browser, nsPerWU } satisfies Benchmark);
  }

  async #medianAsk(): Promise<bigint> {
    const median = await this.#market.medianAsk();
    if (median === null) throw new MarketRefused(0, "no_price", "No other device asks a price now: set yours.");
    return median;
  }

  // --- owner and money

  async #readStanding(): Promise<Standing> {
    if (!this.#ground) throw new DeviceError("The device is not ready.");
    this.#standing = await this.#ground.chain.standing(this.#ground.address);
    if (this.#standing.owner !== null) this.#isBinding = false;
    this.#changed();
    return this.#standing;
  }

  /** Keeps owner, stake and earnings up to date; looks more often while a binding is on its way. */
  async #followMoney(ground: Ground): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#readMoney(ground);
      } catch (error) {
        if (!(error instanceof MarketError || error instanceof ChainUnusable)) {
          this.#lastError = sentenceOf(error);
          this.#changed();
        }
      }
      this.#money = new AbortController();
      const waking = AbortSignal.any([this.#money.signal, this.#closing.signal]);
      await this.#parts.clock.sleep(this.#isBinding ? BINDING_S : MONEY_S, waking);
    }
  }

  async #readMoney({ chain, store, address }: Ground): Promise<void> {
    const { stake } = await this.#readStanding();
    const head = await chain.head();
    const known = await store.getOrMake<Claims>("values", "claims", () => ({ through: head, bonded: 0n, paid: 0n }));
    const claims = await chain.claims(address, known);
    if (claims.through !== known.through) await store.put("values", "claims", claims);
    const pending = (await this.#market.unfinalWei(address)) ?? 0n;
    this.#earned = { pending, bonded: claims.bonded, paid: claims.paid, stake };
    this.#changed();
  }

  // --- inside

  async #setPolicy(changes: Partial<DevicePolicy>): Promise<void> {
    this.#policy = changed(this.#policy, changes, this.#parts.cores);
    this.#agent?.reconsider();
    this.#changed();
    await this.#ground?.store.put("values", "policy", this.#policy);
  }

  #show(state: DeviceState, reason: string | null = null, lastError: string | null = null): void {
    this.#state = state;
    this.#reason = reason;
    this.#lastError = lastError;
    this.#changed();
  }

  /** Tells the page, not more often than it can use. */
  #changed(): void {
    this.#telling ??= setTimeout(() => {
      this.#telling = null;
      this.#parts.tell(this.snapshot());
    }, TELL_MS);
  }

  /** The device as it is. */
  snapshot(): DeviceSnapshot {
    const view = this.#agent?.view;
    const tally = view?.tally ?? this.#tally;
    const shown = view ? stateOf(view) : { state: this.#state, reason: this.#reason, lease: null };
    const isHeldBack = shown.state === "waiting" && this.#earned?.stake === 0n && this.#earned.pending > 0n;
    return {
      ...shown,
      reason: isHeldBack ? ONE_AT_A_TIME : shown.reason,
      device: this.#ground?.address ?? null,
      owner: this.#standing?.owner ?? null,
      ownerKnown: this.#standing !== null,
      binding: this.#isBinding,
      tasksDone: tally.tasks,
      wu: tally.wu,
      accepted: tally.wei,
      earned: this.#earned,
      nsPerWU: view?.nsPerWU ?? this.#nsPerWU,
      ask: view?.ask ?? this.#policy.minPriceWeiPerGWU,
      policy: this.#policy,
      cores: this.#parts.cores,
      batteryKnown: this.#conditions.onBattery !== null,
      lastError: view ? view.trouble : this.#lastError,
    };
  }
}

/** One sentence for a person. */
export function sentenceOf(error: unknown): string {
  const isOurs = error instanceof DeviceError || error instanceof ProtocolError || error instanceof DeviceFailure;
  if (error instanceof MarketRefused && error.code === "device_bound")
    return "This device is bound for good to another owner.";
  if (error instanceof LeaseRefused) return `Refused: ${error.reason}.`;
  return isOurs ? error.reason : error instanceof Error ? error.message : String(error);
}
