import { queryOptions, useQuery } from "@tanstack/react-query";
import type { Address } from "viem";
import { api, ok } from "../api/client";

/** The contracts by name, as deploy writes them. */
export type ContractName =
  | "Attestations"
  | "BlockBeacon"
  | "EpochLedger"
  | "Faucet"
  | "JobEscrow"
  | "MultitudeToken"
  | "Panel"
  | "ProgramRegistry"
  | "Seats"
  | "StakeVault";

/** The network that the market settles on. Clocks in seconds, `feePpm` parts in a million, `confirmations` blocks. */
export type Network = {
  chainId: number;
  deployBlock: bigint;
  addresses: Record<ContractName, Address>;
  clocks: Record<string, number>;
  settler: Address;
  feePpm: number;
  rpc: string;
  confirmations: number;
  blobsKeptSeconds: number;
  uploadsKeptSeconds: number;
};

/** Chain ids of local networks: test coins from nowhere, a development wallet. */
export const LOCAL_CHAINS: readonly number[] = [31337, 31338];

export const networkQuery = queryOptions({
  queryKey: ["network"],
  queryFn: async (): Promise<Network> => {
    const found = await ok(api.GET("/v1/network"));
    return {
      chainId: found.chain_id,
      deployBlock: BigInt(found.deploy_block),
      addresses: found.addresses as Record<ContractName, Address>,
      clocks: found.clocks,
      settler: found.settler as Address,
      feePpm: found.fee_ppm,
      rpc: found.rpc,
      confirmations: found.confirmations,
      blobsKeptSeconds: found.blobs_kept_seconds,
      uploadsKeptSeconds: found.uploads_kept_seconds,
    };
  },
  staleTime: Infinity,
});

/** The network, once the market has told it. */
export const useNetwork = () => useQuery(networkQuery);
