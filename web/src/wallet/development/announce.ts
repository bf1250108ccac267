import { clientOf } from "../../chain/client";
import { ABIS } from "../../chain/contracts";
import type { Network } from "../../network/network";
import { Approvals } from "./approvals";
import { developmentAccount } from "./key";
import { developmentProvider, type Grounds } from "./provider";

const ICON =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#8a4b00"/>' +
      '<path d="M9 12h14v10H9zM12 12V9h8v3" fill="none" stroke="#fff" stroke-width="2.4"/></svg>',
  );

const INFO = {
  uuid: "8f1b6f0e-5a5b-4b7e-9d0a-2f6d1c1f7a31",
  name: "Development wallet (local network)",
  icon: ICON,
  rdns: "network.multitude.development",
};

/** Announces the development wallet (EIP-6963) where the RPC is a development node; null where it is not. */
export async function announceDevelopmentWallet(network: Network): Promise<Approvals | null> {
  const request = clientOf(network).request as Grounds["rpc"];
  const rpc: Grounds["rpc"] = (asked) => request(asked);
  if (!(await isDevelopmentNode(rpc))) return null;
  const approvals = new Approvals();
  const grounds = { network, rpc, abis: ABIS, ask: approvals.ask, storage: localStorage };
  const provider = developmentProvider({ ...grounds, account: developmentAccount(localStorage) });
  const detail = Object.freeze({ info: Object.freeze(INFO), provider });
  const announce = () => window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
  return approvals;
}

/** True where the RPC answers one of anvil's methods. */
export async function isDevelopmentNode(rpc: Grounds["rpc"]): Promise<boolean> {
  try {
    await rpc({ method: "anvil_nodeInfo" });
    return true;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
