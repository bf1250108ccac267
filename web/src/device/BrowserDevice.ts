/** The page's side of the device: a thin proxy of the Web Worker that does everything, fit for useSyncExternalStore. */
import type { Address, Hex, TypedMessage } from "../protocol/index.ts";
import { watchConditions } from "./conditions.ts";
import { defaultPolicy, type DevicePolicy } from "./policy.ts";
import type { DeviceSnapshot, Order, Word } from "./snapshot.ts";

/** What the page has to say of the key. */
export const KEY_NOTICE =
  "This device's key is made and kept in this browser profile. Clearing the site's data deletes it; what it has earned stays with its owner.";

/** What the proxy needs of the worker. */
export interface DeviceWorker {
  postMessage(order: Order): void;
  onmessage: ((event: MessageEvent<Word>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  terminate(): void;
}

interface Asked {
  readonly resolve: (typed: TypedMessage | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The device of this browser profile. */
export class BrowserDevice {
  readonly #spawn: () => DeviceWorker;
  readonly #listeners = new Set<() => void>();
  readonly #asked = new Map<number, Asked>();
  #worker: DeviceWorker | null = null;
  #unwatch: (() => void) | null = null;
  #asks = 0;
  #snapshot: DeviceSnapshot = atFirst();

  /** `spawn` starts a worker of `agent.worker.ts`. */
  constructor(spawn: () => DeviceWorker) {
    this.#spawn = spawn;
  }

  /** Calls back after every change; what it returns ends that. The worker starts with the first call. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#started();
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  /** The device as it is; another object only when something changed. */
  readonly snapshot = (): DeviceSnapshot => this.#snapshot;

  /**
   * Binds the device to its owner, for good: `sign` is the owner's wallet, the device signs by itself, the market relays
   * both. Resolves when the market has them. Rejects with what the wallet threw, or with a sentence for the user.
   */
  async bind(owner: Address, sign: (typed: TypedMessage) => Promise<Hex>): Promise<void> {
    const typed = await this.#ask((id) => ({ do: "typed", id, owner }));
    if (!typed) throw new Error("The device does not say what is to be signed.");
    const signature = await sign(typed);
    await this.#ask((id) => ({ do: "bind", id, owner, signature }));
  }

  /** Works, or works again. */
  start(): void {
    this.#send({ do: "start" });
    // Asks the browser not to clear the journal when space runs short; it works without, too.
    void navigator.storage.persist().catch(() => false);
  }

  /** No new lease; the one in hand is finished. */
  pause(): void {
    this.#send({ do: "pause" });
  }

  /** Finishes the lease, then stops; called again, stops at once. */
  finish(): void {
    this.#send({ do: "finish" });
  }

  /** Changes wishes; they are kept. */
  setPolicy(changes: Partial<DevicePolicy>): void {
    this.#send({ do: "policy", changes });
  }

  /** Ends the worker at once, as closing the tab does. */
  close(): void {
    this.#unwatch?.();
    this.#worker?.terminate();
    this.#worker = this.#unwatch = null;
  }

  // --- inside

  #started(): DeviceWorker {
    if (this.#worker) return this.#worker;
    const worker = this.#spawn();
    worker.onmessage = ({ data }) => {
      this.#hear(data);
    };
    worker.onerror = (event) => {
      this.#set({ ...this.#snapshot, state: "failed", reason: `The device's worker ended: ${event.message}` });
    };
    this.#worker = worker;
    this.#unwatch = watchConditions((conditions) => {
      worker.postMessage({ do: "conditions", conditions });
    });
    return worker;
  }

  #send(order: Order): void {
    this.#started().postMessage(order);
  }

  #ask(order: (id: number) => Order): Promise<TypedMessage | undefined> {
    this.#asks += 1;
    const id = this.#asks;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#send(order(id));
    });
  }

  #hear(word: Word): void {
    if (word.is === "snapshot") {
      this.#set(word.snapshot);
      return;
    }
    const asked = this.#asked.get(word.id);
    this.#asked.delete(word.id);
    if (word.error === undefined) asked?.resolve(word.typed);
    else asked?.reject(new Error(word.error));
  }

  #set(snapshot: DeviceSnapshot): void {
    if (textOf(snapshot) === textOf(this.#snapshot)) return;
    this.#snapshot = snapshot;
    for (const listener of this.#listeners) listener();
  }
}

let ours: BrowserDevice | null = null;

/** The one device of this page. */
export function browserDevice(): BrowserDevice {
  ours ??= new BrowserDevice(
    () => new Worker(new URL("./agent.worker.ts", import.meta.url), { type: "module", name: "device" }),
  );
  return ours;
}

function atFirst(): DeviceSnapshot {
  return {
    state: "loading",
    reason: null,
    device: null,
    owner: null,
    ownerKnown: false,
    binding: false,
    lease: null,
    tasksDone: 0,
    wu: 0n,
    accepted: 0n,
    earned: null,
    nsPerWU: null,
    ask: null,
    policy: defaultPolicy(1),
    cores: 1,
    batteryKnown: false,
    lastError: null,
  };
}

function textOf(snapshot: DeviceSnapshot): string {
  return JSON.stringify(snapshot, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
