import { useQueryClient } from "@tanstack/react-query";
import {
  Component,
  createContext,
  lazy,
  type ReactNode,
  Suspense,
  use,
  useEffect,
  useState,
  useSyncExternalStore,
} from "react";
import { useNetwork } from "../network/network";
import type { Engine } from "./engine";
import { WalletNotice } from "./notices";
import { type Snapshot, WalletStore } from "./store";
import "./wallet.css";

type Store = WalletStore<Engine>;

/** wagmi writes it when a wallet is connected; the engine takes it away on disconnecting. */
const RECENT_WALLET = "multitude.wallet.recentConnectorId";

const loadEngine = () => import("./engine/WalletEngine").then((found) => ({ default: found.WalletEngine }));
let WalletEngine = lazy(loadEngine);

const WalletContext = createContext<Store | null>(null);

/** Gives everything below it the wallet. wagmi is loaded when a wallet is wanted, or was connected before. */
export function WalletProvider({ children }: { children: ReactNode }) {
  const [store] = useState<Store>(() => new WalletStore(sessionStorage, localStorage.getItem(RECENT_WALLET) !== null));
  return (
    <WalletContext value={store}>
      {children}
      <Heavy store={store} />
    </WalletContext>
  );
}

/** The wallet's store. */
export function useWalletStore(): Store {
  const store = use(WalletContext);
  if (!store) throw new Error("There is no WalletProvider around this.");
  return store;
}

/** What the page sees of the wallet, new with every change. */
export function useSnapshot(): Snapshot {
  const store = useWalletStore();
  return useSyncExternalStore(store.subscribe, store.snapshot);
}

/** The part that needs wagmi, or why it is not there. */
function Heavy({ store }: { store: Store }) {
  const { wanted, choosing, failure } = useSnapshot();
  const { data: network, error, refetch } = useNetwork();
  useSessionEnd(store);
  if (!wanted) return null;
  const retry = () => {
    WalletEngine = lazy(loadEngine);
    store.fail(null);
    if (!network) void refetch();
  };
  const wrong = failure ?? (choosing && !network ? error : null);
  if (wrong !== null) {
    return (
      <div className="wallet-failure">
        <WalletNotice error={wrong} onRetry={retry} />
      </div>
    );
  }
  return network ? (
    <Boundary onError={(caught) => store.fail(caught)}>
      <Suspense fallback={null}>
        <WalletEngine network={network} store={store} />
      </Suspense>
    </Boundary>
  ) : null;
}

/** Ends the session when its time is over, and reads everything anew when the account changes. */
function useSessionEnd(store: Store) {
  const { session, account } = useSnapshot();
  const queries = useQueryClient();
  useEffect(() => {
    if (!session) return;
    const left = Math.min(session.expiresAt * 1000 - Date.now(), 2 ** 31 - 1);
    const timer = setTimeout(() => store.session(null), Math.max(0, left));
    return () => clearTimeout(timer);
  }, [session, store]);
  useEffect(() => {
    void queries.invalidateQueries({ predicate: isOfChain });
  }, [account.address, account.chainId, queries]);
}

/** Queries that a transaction may change: keys that begin with "chain" or "wallet". */
export const isOfChain = ({ queryKey }: { queryKey: readonly unknown[] }): boolean =>
  queryKey[0] === "chain" || queryKey[0] === "wallet";

class Boundary extends Component<{ children: ReactNode; onError: (error: unknown) => void }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidCatch(error: unknown) {
    this.props.onError(error);
  }

  override render() {
    return this.state.failed ? null : this.props.children;
  }
}
