import { decodeEventLog, type Hex, type Log } from "viem";
import type { ContractName } from "../network/network";
import { ABIS, type EventArgs, type EventName } from "./contracts";

/** A block: its number, hash and time (Unix seconds). */
export type BlockRef = { number: number; hash: Hex; timestamp: number };

/** One event of a contract of ours. */
export type ChainEvent<C extends ContractName = ContractName, N extends EventName<C> = EventName<C>> = {
  contract: C;
  name: N;
  args: EventArgs<C, N>;
  block: number;
  logIndex: number;
  tx: Hex;
};

/** The event of a log, null where the contract's ABI has none such. */
export function eventOf(contract: ContractName, log: Log): ChainEvent | null {
  if (log.blockNumber === null || log.logIndex === null || log.transactionHash === null) return null;
  try {
    const found = decodeEventLog({ abi: ABIS[contract], data: log.data, topics: log.topics });
    return {
      contract,
      name: found.eventName,
      args: found.args,
      block: Number(log.blockNumber),
      logIndex: log.logIndex,
      tx: log.transactionHash,
    } as ChainEvent;
  } catch (error) {
    if (error instanceof Error && /^AbiEvent|^Decode/.test(error.name)) return null;
    throw error;
  }
}

/** Whether an event comes before another in the chain. */
export const isBefore = (one: Place, other: Place): boolean =>
  one.block < other.block || (one.block === other.block && one.logIndex < other.logIndex);

/** Where an event stands. */
export type Place = { block: number; logIndex: number };

/** The deployment's events in chain order, up to and including `head`. */
export class EventLog {
  readonly events: readonly ChainEvent[];
  readonly #named = new Map<string, ChainEvent[]>();

  constructor(
    events: readonly ChainEvent[],
    readonly head: BlockRef,
  ) {
    this.events = [...events].sort((a, b) => a.block - b.block || a.logIndex - b.logIndex);
    for (const event of this.events) {
      const key = `${event.contract}.${event.name}`;
      const held = this.#named.get(key);
      if (held) held.push(event);
      else this.#named.set(key, [event]);
    }
  }

  /** The events of a contract's name whose arguments are those of `where`, in order. */
  named<C extends ContractName, N extends EventName<C>>(
    contract: C,
    name: N,
    where: Partial<EventArgs<C, N>> = {} as Partial<EventArgs<C, N>>,
  ): ChainEvent<C, N>[] {
    const all = (this.#named.get(`${contract}.${name}`) ?? []) as unknown as ChainEvent<C, N>[];
    const wanted = Object.entries(where);
    if (wanted.length === 0) return all;
    return all.filter(({ args }) => wanted.every(([key, value]) => (args as Record<string, unknown>)[key] === value));
  }

  /** The first such event. */
  first<C extends ContractName, N extends EventName<C>>(
    contract: C,
    name: N,
    where: Partial<EventArgs<C, N>> = {} as Partial<EventArgs<C, N>>,
  ): ChainEvent<C, N> | undefined {
    return this.named(contract, name, where)[0];
  }
}
