import { skipToken, useQuery } from "@tanstack/react-query";
import { api, ok } from "../api/client";
import { type Network, useNetwork } from "../network/network";
import { headOf, marketLag } from "./lag";
import type { WalletError } from "./messages";
import { WalletNotice } from "./notices";

const LOOK_MS = 10_000;

/** Says where the market or the chain does not answer, or the market is behind the chain; nothing while all is well. */
export function MarketNotice() {
  const { data: network, error: silent, refetch: ask } = useNetwork();
  const {
    data: lag,
    error,
    refetch,
  } = useQuery({
    queryKey: ["market", "lag", network?.chainId],
    queryFn: network ? () => lagOf(network) : skipToken,
    refetchInterval: LOOK_MS,
  });
  const wrong = silent ?? error ?? lag ?? null;
  return wrong ? <WalletNotice error={wrong} onRetry={() => void (network ? refetch() : ask())} /> : null;
}

async function lagOf({ rpc, confirmations }: Network): Promise<WalletError | null> {
  const [told, head] = await Promise.all([ok(api.GET("/v1/network")), headOf(rpc)]);
  return marketLag(BigInt(told.indexed_block), head, confirmations);
}
