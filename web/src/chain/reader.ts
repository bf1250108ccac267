import { BaseError, type PublicClient, RpcRequestError } from "viem";
import type { ContractName, Network } from "../network/network";
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

/**
 * Reads a deployment's events and keeps them: what is `confirmations` deep is read once, the newest blocks every time.
 * Begins anew where a block that it has kept is not in the chain any more.
 */
export class LogReader {
  #kept: ChainEvent[] = [];
  #anchor: BlockRef | null = null;
  #log: EventLog | null = null;

  constructor(
    readonly client: PublicClient,
    readonly network: Network,
  ) {}

  /** The log up to the newest block. @throws ReorgDuringRead where the chain changed meanwhile. */
  async read(): Promise<EventLog> {
    const head = await blockRef(this.client);
    if (this.#log?.head.hash === head.hash) return this.#log;
    await this.#forgetReorganised(head);
    const first = this.#anchor ? this.#anchor.number + 1 : Number(this.network.deployBlock);
    const events = await scan(this.client, this.network, first, head.number);
    const deep = head.number - this.network.confirmations;
    const anchor = deep > (this.#anchor?.number ?? 0) ? await blockRef(this.client, deep) : this.#anchor;
    if ((await blockRef(this.client, head.number)).hash !== head.hash)
      throw new ReorgDuringRead(`Block ${head.number} changed while it was read.`);
    this.#log = new EventLog([...this.#kept, ...events], head);
    this.#anchor = anchor;
    this.#kept = this.#log.events.filter((event) => event.block <= (anchor?.number ?? -1));
    return this.#log;
  }

  async #forgetReorganised(head: BlockRef): Promise<void> {
    if (!this.#anchor) return;
    const stands =
      this.#anchor.number <= head.number &&
      (await blockRef(this.client, this.#anchor.number)).hash === this.#anchor.hash;
    if (stands) return;
    this.#anchor = null;
    this.#kept = [];
  }
}
