import type { Address } from "viem";
import { clientOf } from "../chain/client";
import { JobEscrow } from "../generated/JobEscrow";
import { MultitudeToken } from "../generated/MultitudeToken";
import type { Network } from "../network/network";

// Loaded by what asks, so that a page without an account loads no chain client.

/** The account's coin of the chain itself, wei. */
export const nativeBalance = (network: Network, address: Address): Promise<bigint> =>
  clientOf(network).getBalance({ address });

/** MANY in wei: in the wallet, deposited and free, and what the escrow may take. */
export type Holdings = { wallet: bigint; escrow: bigint; allowance: bigint };

/** What an account holds. */
export async function holdings(network: Network, address: Address): Promise<Holdings> {
  const client = clientOf(network);
  const token = { address: network.addresses.MultitudeToken, abi: MultitudeToken } as const;
  const spender = network.addresses.JobEscrow;
  const [wallet, allowance, escrow] = await Promise.all([
    client.readContract({ ...token, functionName: "balanceOf", args: [address] }),
    client.readContract({ ...token, functionName: "allowance", args: [address, spender] }),
    client.readContract({ address: spender, abi: JobEscrow, functionName: "balanceOf", args: [address] }),
  ]);
  return { wallet, escrow, allowance };
}
