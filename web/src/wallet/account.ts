import { skipToken, useQuery } from "@tanstack/react-query";
import type { Address } from "viem";
import { type Network, useNetwork } from "../network/network";
import { type WalletError, walletError } from "./messages";
import type { Account } from "./store";
import { useSnapshot, useWalletStore } from "./WalletProvider";

const REFRESH_MS = 10_000;

/** The connected account. */
export const useAccount = (): Account => useSnapshot().account;

/** Buttons' work: our dialog (wallets, or the account), disconnecting, switching the network. */
export function useWallet() {
  const store = useWalletStore();
  return {
    openConnect: () => store.choose(),
    disconnect: () => void store.engine?.disconnect(),
    /** Asks the wallet to switch; resolves to what went wrong, if anything did. */
    switchNetwork: async (): Promise<WalletError | null> => {
      try {
        await store.engine?.switchNetwork();
        return null;
      } catch (error) {
        return walletError(error);
      }
    },
  };
}

/** The account's coin of the chain itself, wei. */
export const useNativeBalance = () =>
  useRead("coin", async (network, address) => (await reads()).nativeBalance(network, address));

/** The account's MANY in wei: in the wallet, deposited and free, and what the escrow may take. */
export const useTokens = () =>
  useRead("tokens", async (network, address) => (await reads()).holdings(network, address));

const reads = () => import("./reads");

/** A reading of the chain for the connected account. */
function useRead<T>(name: string, read: (network: Network, address: Address) => Promise<T>) {
  const { data: network } = useNetwork();
  const { address } = useAccount();
  return useQuery({
    queryKey: ["wallet", name, network?.chainId, address],
    queryFn: network && address ? () => read(network, address) : skipToken,
    refetchInterval: REFRESH_MS,
  });
}
