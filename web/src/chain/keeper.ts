import type { Network } from "../network/network";
import { StorageUnusable, Store } from "../storage/store";
import type { BlockRef, ChainEvent } from "./log";

/** A deployment's events up to and including a block that reorganisations do not reach. */
export type KeptLog = { readonly anchor: BlockRef; readonly events: readonly ChainEvent[] };

const SHELVES = { events: "numbered", marks: "keyed" } as const;
const DATABASE = "multitude-log";
/** One more with each change of what an event looks like here, or of the events that are known. */
const FORM = 1;

/** Under "mark": whose events the database has, and up to where. */
type Mark = { readonly deployment: string; readonly anchor: BlockRef };

/** Keeps one deployment's events across visits; nothing, where the browser does not let it. */
export class LogKeeper {
  readonly #deployment: string;
  #store: Promise<Store<keyof typeof SHELVES>> | null = null;
  #isOff = false;

  constructor({ chainId, rpc, addresses, deployBlock }: Network) {
    // The RPC's name is in it: what one RPC left out, another is asked for again.
    this.#deployment = [FORM, chainId, rpc, deployBlock, ...Object.entries(addresses).sort().flat()].join(" ");
  }

  /** What earlier visits left of this deployment. Whether the chain still has it is for the caller to see. */
  async recall(): Promise<KeptLog | null> {
    return this.#quietly(null, async (store) => {
      const mark = (await store.get("marks", "mark")) as Mark | undefined;
      if (mark?.deployment !== this.#deployment) return null;
      const chunks = (await store.entries("events")) as [IDBValidKey, ChainEvent[]][];
      return { anchor: mark.anchor, events: chunks.flatMap(([, chunk]) => chunk) };
    });
  }

  /**
   * Adds the events of the blocks after `from` up to `to`; without `from`, begins anew. Where another tab has moved on
   * from there meanwhile, this one leaves it to that tab.
   */
  async add(events: readonly ChainEvent[], from: BlockRef | null, to: BlockRef): Promise<void> {
    const mark: Mark = { deployment: this.#deployment, anchor: to };
    await this.#quietly(undefined, async (store) => {
      await store.write(["events", "marks"], (objects) => {
        const request: IDBRequest<Mark | undefined> = objects("marks").get("mark");
        request.onsuccess = () => {
          const held = request.result;
          if (from !== null && !(held?.deployment === this.#deployment && held.anchor.hash === from.hash)) {
            this.#isOff = true;
            return;
          }
          if (from === null) objects("events").clear();
          if (events.length) objects("events").add(events);
          objects("marks").put(mark, "mark");
        };
      });
    });
  }

  async #quietly<T>(otherwise: T, work: (store: Store<keyof typeof SHELVES>) => Promise<T>): Promise<T> {
    if (this.#isOff) return otherwise;
    try {
      this.#store ??= Store.open(DATABASE, SHELVES);
      return await work(await this.#store);
    } catch (error) {
      if (!(error instanceof StorageUnusable)) throw error;
      this.#isOff = true;
      return otherwise;
    }
  }
}
