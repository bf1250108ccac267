/**
 * The device's journal in IndexedDB: facts in their order, each on disk before anything follows from it, and outputs not
 * yet sent. A closed tab or a crash at any point leaves the facts up to some moment.
 */
import { generatePrivateKey } from "viem/accounts";

import { blobId, type Hex } from "../protocol/index.ts";
import { Store } from "../storage/store.ts";
import { JournalCorrupt } from "./errors.ts";
import { factFromJson, factToJson, type Fact } from "./facts.ts";

/** Facts by their number, blobs by their id, single values by their name. */
const SHELVES = { facts: "numbered", outputs: "keyed", values: "keyed" } as const;

/** What a device keeps in this browser: one database for each deployment, so that no device meets another's journal. */
export type DeviceStore = Store<keyof typeof SHELVES>;

/** Opens or makes the database of that name. StorageUnusable. */
export const openDeviceStore = (name: string): Promise<DeviceStore> => Store.open(name, SHELVES);

const COMPACT_ABOVE = 512;
const TALLY = "tally";

/** What this device has done, ever: tasks and WU that the market accepted, and what they were worth in wei. */
export interface Tally {
  readonly tasks: number;
  readonly wu: bigint;
  readonly wei: bigint;
}

const NOTHING: Tally = { tasks: 0, wu: 0n, wei: 0n };

/** One device's journal. The lock of `locks.ts` keeps it to one tab. */
export class Journal {
  readonly facts: readonly Fact[];
  readonly #store: DeviceStore;
  #count: number;
  #compactAbove: number;

  private constructor(store: DeviceStore, facts: readonly Fact[]) {
    this.#store = store;
    this.facts = facts;
    this.#count = facts.length;
    this.#compactAbove = Math.max(COMPACT_ABOVE, 4 * facts.length);
  }

  /** Reads it. JournalCorrupt, StorageUnusable. */
  static async open(store: DeviceStore): Promise<Journal> {
    const entries = await store.entries("facts");
    return new Journal(
      store,
      entries.map(([, value]) => factFromJson(value)),
    );
  }

  /** Writes facts, all or none, and with them what they add up to; when this resolves they survive a crash. */
  async append(facts: readonly Fact[], tally?: Tally): Promise<void> {
    await this.#store.write(["facts", "values"], (objects) => {
      for (const fact of facts) objects("facts").add(factToJson(fact));
      if (tally) objects("values").put(tally, TALLY);
    });
    this.#count += facts.length;
  }

  /** What has been done so far. */
  async tally(): Promise<Tally> {
    return ((await this.#store.get("values", TALLY)) as Tally | undefined) ?? NOTHING;
  }

  /** Whether it has grown enough to be compacted. */
  get isLarge(): boolean {
    return this.#count > this.#compactAbove;
  }

  /** Removes the facts that are not needed any more. */
  async compact(keeps: (fact: Fact) => boolean): Promise<void> {
    const entries = await this.#store.entries("facts");
    const gone = entries.filter(([, value]) => !keeps(factFromJson(value)));
    await this.#store.write(["facts"], (objects) => {
      for (const [key] of gone) objects("facts").delete(key);
    });
    this.#count = entries.length - gone.length;
    this.#compactAbove = Math.max(COMPACT_ABOVE, 4 * this.#count);
  }

  // --- outputs

  /** Stores an output blob until it is forgotten; its blob id. */
  async keepOutputs(blob: Uint8Array): Promise<Hex> {
    const name = blobId(blob);
    await this.#store.put("outputs", name, blob);
    return name;
  }

  /** The output blob of that id; null if it is gone or damaged. */
  async outputs(name: Hex): Promise<Uint8Array<ArrayBuffer> | null> {
    const blob = await this.#store.get("outputs", name);
    return blob instanceof Uint8Array && blobId(blob) === name ? blob.slice() : null;
  }

  /** Removes an output blob. */
  async forgetOutputs(name: Hex): Promise<void> {
    await this.#store.write(["outputs"], (objects) => objects("outputs").delete(name));
  }

  /** Removes the output blobs that a crash left behind. */
  async forgetOutputsBut(name: Hex | null): Promise<void> {
    const entries = await this.#store.entries("outputs");
    await this.#store.write(["outputs"], (objects) => {
      for (const [key] of entries) if (key !== name) objects("outputs").delete(key);
    });
  }
}

/** The device's private key, made where this browser has none. JournalCorrupt for what is no key. */
export async function deviceKey(store: DeviceStore): Promise<Hex> {
  const key = await store.getOrMake<unknown>("values", "key", generatePrivateKey);
  if (typeof key !== "string" || !/^0x[0-9a-f]{64}$/.test(key)) throw new JournalCorrupt("the device's key is damaged");
  return key as Hex;
}
