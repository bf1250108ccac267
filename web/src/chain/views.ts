import type { Abi, PublicClient } from "viem";
import type { ContractName, Network } from "../network/network";
import { ABIS, type ViewArgs, type ViewName, type ViewResult } from "./contracts";

/** Calls a view of a contract, as of one block. */
export type View = <C extends ContractName, F extends ViewName<C>>(
  contract: C,
  name: F,
  args: ViewArgs<C, F>,
) => Promise<ViewResult<C, F>>;

/** The views of a deployment as of a block, the newest without one. Calls of one moment go out as one request. */
export function viewsAt(client: PublicClient, network: Network, block?: number): View {
  return (async (contract: ContractName, functionName: string, args: readonly unknown[]) =>
    client.readContract({
      address: network.addresses[contract],
      abi: ABIS[contract] as Abi,
      functionName,
      args,
      ...(block === undefined ? {} : { blockNumber: BigInt(block) }),
    })) as View;
}
