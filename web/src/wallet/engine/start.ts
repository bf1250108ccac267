import {
  type Config,
  createConfig,
  createStorage,
  disconnect,
  getConnection,
  http,
  reconnect,
  watchConnection,
} from "@wagmi/core";
import type { PublicClient } from "viem";
import { chainOf, clientOf } from "../../chain/client";
import { LOCAL_CHAINS, type Network } from "../../network/network";
import type { Approvals } from "../development/approvals";
import type { Engine } from "../engine";
import { WalletError } from "../messages";
import type { Connection, WalletStore } from "../store";
import { engineOf } from "./operations";

/** What the heavy part stands on. */
export type Parts = { config: Config; network: Network; client: PublicClient };

/** The parts, with what the development wallet asks where there is one. */
export type Started = Parts & { approvals: Approvals | null };

const started = new WeakMap<WalletStore<Engine>, Promise<Started>>();

/** Starts wagmi for a store, once, and finds the wallet again that was connected before. */
export function startOnce(network: Network, store: WalletStore<Engine>): Promise<Started> {
  let parts = started.get(store);
  if (!parts) {
    parts = start(network, store);
    started.set(store, parts);
    parts.catch(() => started.delete(store));
  }
  return parts;
}

async function start(network: Network, store: WalletStore<Engine>): Promise<Started> {
  if (!network.rpc) throw new WalletError("rpc-down", "This market names no RPC of its chain.");
  const approvals = await developmentWallet(network);
  const chain = chainOf(network);
  const config: Config = createConfig({
    chains: [chain],
    transports: { [chain.id]: http(network.rpc) },
    storage: createStorage({ key: "multitude.wallet", storage: localStorage }),
  });
  const parts = { config, network, client: clientOf(network) };
  store.engine = engineOf(parts);
  const tell = () => store.connection(connectionOf(config), network.chainId);
  watchConnection(config, { onChange: tell });
  await reconnectRecent(config);
  tell();
  return { ...parts, approvals };
}

/** The development wallet, on a local chain only: announced as any wallet is. */
async function developmentWallet(network: Network): Promise<Approvals | null> {
  if (!LOCAL_CHAINS.includes(network.chainId)) return null;
  const { announceDevelopmentWallet } = await import("../development/announce");
  return announceDevelopmentWallet(network);
}

function connectionOf(config: Config): Connection {
  const found = getConnection(config);
  if (found.status === "connected") {
    return { status: "connected", address: found.address, chainId: found.chainId, wallet: found.connector.name };
  }
  return { status: found.status === "disconnected" ? "disconnected" : "connecting" };
}

/** Only the wallet that was used last, and only if it still knows this page. */
async function reconnectRecent(config: Config): Promise<void> {
  const recent = await config.storage?.getItem("recentConnectorId");
  const connectors = config.connectors.filter(({ id }) => id === recent);
  if (connectors.length > 0) await reconnect(config, { connectors });
}

/** Lets go of every wallet, and does not come back to it after a reload. */
export async function disconnectAll(config: Config): Promise<void> {
  const connectors = [...config.state.connections.values()].map(({ connector }) => connector);
  for (const connector of connectors) await disconnect(config, { connector });
  await config.storage?.removeItem("recentConnectorId");
}
