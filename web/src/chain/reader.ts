import { BaseError, type PublicClient, RpcRequestError } from "viem";
import type { ContractName, Network } from "../network/network";
import type { LogKeeper } from "./keeper";
import { type BlockRef, type ChainEvent, EventLog, eventOf } from "./log";

/** Blocks that one eth_getLogs asks for; halved where a node refuses. */
export const LOG_RANGE = 2_048;

/** The chain changed while it was read: to be read again. */
export class ReorgDuringRead extends Error {
  override name = "ReorgDuringRead";
}

/** The block of a number, the newest without one. */
export async function blockRef(client: PublicClient, number?: number): Promise<BlockRef> {
  const block = await client.getBlock(number === undefined ? {} : { blockNumber: BigInt(number) });
  return { number: Number(block.number), hash: block.hash, timestamp: Number(block.timestamp) };
}

/** Our contracts' events in blocks `first` to `last`, in bounded ranges. */
export async function scan(client: PublicClient, network: Network, first: number, last: number): Promise<ChainEvent[]> {
  const names = new Map(
    Object.entries(network.addresses).map(([name, at]) => [at.toLowerCase(), name as ContractName]),
  );
  const address = Object.values(network.addresses);
  const events: ChainEvent[] = [];
  let step = LOG_RANGE;
  for (let start = first; start <= last;) {
    const end = Math.min(start + step - 1, last);
    try {
      const logs = await client.getLogs({ address, fromBlock: BigInt(start), toBlock: BigInt(end) });
      for (const log of logs) {
        const contract = names.get(log.address.toLowerCase());
        const event = contract && eventOf(contract, log);
        if (event) events.push(event);
      }
      start = end + 1;
    } catch (error) {
      const refused = error instanceof BaseError && error.walk((cause) => cause instanceof RpcRequestError) !== null;
      if (!refused || step === 1) throw error;
      step = Math.ceil(step / 2);
    }
  }
  return events;
}

/** What is kept is written down once it has new events, or has grown by so many blocks. */
const KEEP_BLOCKS = 256;

/** Where final events are kept across visits: `LogKeeper`, or nothing. */
type Keeping = Pick<LogKeeper, "recall" | "add">;

/**
 * Reads a deployment's events and keeps them: what is `confirmations` deep is read once, also across visits, the newest
 * blocks every time. Begins anew where a block that it has kept is not in the chain any more.
 */
export class LogReader {
  #kept: ChainEvent[] = [];
  #anchor: BlockRef | null = null;
  #written: BlockRef | null = null;
  #recalled = false;
  #log: EventLog | null = null;

  constructor(
    readonly client: PublicClient,
    readonly network: Network,
    readonly keeper: Keeping | null = null,
  ) {}

  /** The log up to the newest block. @throws ReorgDuringRead where the chain changed meanwhile. */
  async read(): Promise<EventLog> {
    const head = await blockRef(this.client);
    if (this.#log?.head.hash === head.hash) return this.#log;
    await this.#recall();
    await this.#forgetReorganised(head);
    const deep = head.number - this.network.confirmations;
    // A long way is gone in steps, each of them kept: whoever leaves early goes on from there.
    while (deep - this.#first >= LOG_RANGE) await this.#step(this.#first + LOG_RANGE - 1);
    const events = await scan(this.client, this.network, this.#first, head.number);
    const anchor = deep >= this.#first ? await blockRef(this.client, deep) : this.#anchor;
    if ((await blockRef(this.client, head.number)).hash !== head.hash) throw changed(head);
    this.#log = new EventLog([...this.#kept, ...events], head);
    if (anchor && anchor !== this.#anchor) await this.#keep(events, anchor);
    return this.#log;
  }

  /** The first block that is not kept. */
  get #first(): number {
    return this.#anchor ? this.#anchor.number + 1 : Number(this.network.deployBlock);
  }

  async #recall(): Promise<void> {
    if (this.#recalled) return;
    this.#recalled = true;
    const found = await this.keeper?.recall();
    if (!found) return;
    this.#kept = [...found.events];
    this.#anchor = this.#written = found.anchor;
  }

  async #forgetReorganised(head: BlockRef): Promise<void> {
    if (!this.#anchor) return;
    if (this.#anchor.number <= head.number && (await this.#stands(this.#anchor))) return;
    this.#anchor = this.#written = null;
    this.#kept = [];
  }

  async #stands({ number, hash }: BlockRef): Promise<boolean> {
    return (await blockRef(this.client, number)).hash === hash;
  }

  /** Reads and keeps the blocks up to `last`, which is deep. */
  async #step(last: number): Promise<void> {
    const anchor = await blockRef(this.client, last);
    const events = await scan(this.client, this.network, this.#first, last);
    // INVARIANT: all that is kept is of the chain that has the anchor.
    for (const known of [this.#anchor, anchor]) if (known && !(await this.#stands(known))) throw changed(known);
    await this.#keep(events, anchor);
  }

  async #keep(events: readonly ChainEvent[], anchor: BlockRef): Promise<void> {
    this.#kept.push(...events.filter(({ block }) => block <= anchor.number));
    this.#anchor = anchor;
    if (!this.keeper) return;
    const from = this.#written;
    const fresh = this.#kept.filter(({ block }) => block > (from?.number ?? -1));
    if (fresh.length === 0 && anchor.number - (from?.number ?? -KEEP_BLOCKS) < KEEP_BLOCKS) return;
    this.#written = anchor;
    await this.keeper.add(fresh, from, anchor);
  }
}

const changed = ({ number }: BlockRef) => new ReorgDuringRead(`Block ${number} changed while it was read.`);
