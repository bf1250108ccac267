import { createPublicClient, defineChain, http, type PublicClient } from "viem";
import { type Network, useNetwork } from "../network/network";

const clients = new Map<string, PublicClient>();

/** The chain of a network as viem and wallets know it. */
export const chainOf = (network: Network) =>
  defineChain({
    id: network.chainId,
    name: `Multitude ${network.chainId}`,
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [network.rpc] } },
  });

/** A client that reads a network's chain by its own RPC, never through the market or a wallet; one for each network. */
export function clientOf(network: Network): PublicClient {
  const key = `${network.chainId} ${network.rpc}`;
  let client = clients.get(key);
  if (!client) {
    client = createPublicClient({
      chain: chainOf(network),
      transport: http(network.rpc, { batch: true, retryCount: 2, timeout: 10_000 }),
      pollingInterval: 1_000,
    });
    clients.set(key, client);
  }
  return client;
}

/** The network with its client, or undefined until the market has told it. */
export function useChain(): { network: Network; client: PublicClient } | undefined {
  const { data: network } = useNetwork();
  return network ? { network, client: clientOf(network) } : undefined;
}
