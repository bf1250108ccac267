/** What the tab reads of the chain itself, because it takes nobody's word for it. */
import { createPublicClient, http, BaseError, type PublicClient } from "viem";

import { EpochLedger } from "../generated/EpochLedger.ts";
import { JobEscrow } from "../generated/JobEscrow.ts";
import { ProgramRegistry } from "../generated/ProgramRegistry.ts";
import { StakeVault } from "../generated/StakeVault.ts";
import { ZERO_ADDRESS, checksumAddress, type Address, type Hex } from "../protocol/index.ts";
import { ChainUnusable } from "./errors.ts";
import type { Deployment } from "./market.ts";

const TIMEOUT_MS = 10_000;
const BLOCKS_AT_A_TIME = 5_000n;
const ASKS_AT_A_TIME = 20;

/** A device as the chain shows it; money in wei. */
export interface Standing {
  readonly owner: Address | null;
  readonly convicted: boolean;
  readonly stake: bigint;
}

/** What claims up to a block have paid to a device's owner and added to its stake, in wei. */
export interface Claims {
  readonly through: bigint;
  readonly bonded: bigint;
  readonly paid: bigint;
}

/** The chain. Every method throws ChainUnusable. */
export interface Chain {
  /** Whether two of three drawn seats have attested the program. */
  isAttested(programId: Hex): Promise<boolean>;
  standing(device: Address): Promise<Standing>;
  /** Adds what was claimed since, as deep as reorganisations do not reach; some of it where there is much to read. */
  claims(device: Address, known: Claims): Promise<Claims>;
  /** The newest block. */
  head(): Promise<bigint>;
  /** The hash of the block in which the contracts were deployed: a local chain that began anew has another. */
  origin(): Promise<Hex>;
}

/** The chain behind the RPC that the network names. */
export class RpcChain implements Chain {
  readonly #deployment: Deployment;
  readonly #client: PublicClient;
  #registry: Promise<Address> | null = null;

  constructor(deployment: Deployment) {
    if (!deployment.rpc)
      throw new ChainUnusable("The market names no way to read the chain, so programs cannot be checked");
    this.#deployment = deployment;
    this.#client = createPublicClient({ transport: http(deployment.rpc, { timeout: TIMEOUT_MS, retryCount: 1 }) });
  }

  async isAttested(programId: Hex): Promise<boolean> {
    const address = await this.#registryAddress();
    const call = { address, abi: ProgramRegistry, functionName: "attested", args: [programId] } as const;
    return asked(() => this.#client.readContract(call));
  }

  async standing(device: Address): Promise<Standing> {
    const address = this.#deployment.stakeVault;
    const call = { address, abi: StakeVault, functionName: "deviceOf", args: [device] } as const;
    const { owner, convicted, stake } = await asked(() => this.#client.readContract(call));
    return { owner: owner === ZERO_ADDRESS ? null : checksumAddress(owner), convicted, stake };
  }

  async head(): Promise<bigint> {
    return asked(() => this.#client.getBlockNumber({ cacheTime: 0 }));
  }

  async origin(): Promise<Hex> {
    const blockNumber = BigInt(this.#deployment.deployBlock);
    return (await asked(() => this.#client.getBlock({ blockNumber }))).hash;
  }

  async claims(device: Address, known: Claims): Promise<Claims> {
    const last = (await this.head()) - BigInt(this.#deployment.confirmations);
    let { through, bonded, paid } = known;
    for (let ask = 0; ask < ASKS_AT_A_TIME && through < last; ask++) {
      const fromBlock = through + 1n;
      const toBlock = fromBlock + BLOCKS_AT_A_TIME - 1n < last ? fromBlock + BLOCKS_AT_A_TIME - 1n : last;
      for (const { money } of await this.#claimed(device, fromBlock, toBlock)) {
        bonded += money.bonded;
        paid += money.paid;
      }
      through = toBlock;
    }
    return { through, bonded, paid };
  }

  async #claimed(device: Address, fromBlock: bigint, toBlock: bigint) {
    const address = this.#deployment.epochLedger;
    const query = { address, abi: EpochLedger, eventName: "Claimed", args: { device }, strict: true } as const;
    const events = await asked(() => this.#client.getContractEvents({ ...query, fromBlock, toBlock }));
    return events.map((event) => event.args);
  }

  /** The registry that the escrow names, in which the journal's network is pinned: not the one that the market names. */
  async #registryAddress(): Promise<Address> {
    const address = this.#deployment.network.domain.verifyingContract;
    this.#registry ??= asked(() => this.#client.readContract({ address, abi: JobEscrow, functionName: "programs" }));
    try {
      return await this.#registry;
    } catch (error) {
      this.#registry = null;
      throw error;
    }
  }
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof BaseError)) throw error;
    throw new ChainUnusable(`The chain cannot be read: ${error.shortMessage}`, { cause: error });
  }
}
