import { getConnection, signMessage, signTypedData, switchChain } from "@wagmi/core";
import { Faucet } from "../../generated/Faucet";
import { JobEscrow } from "../../generated/JobEscrow";
import { tokens } from "../../ui/numbers";
import type { Engine } from "../engine";
import { WalletError } from "../messages";
import { deposit } from "./deposit";
import { send } from "./send";
import { disconnectAll, type Parts } from "./start";

/** The engine over wagmi's configuration. */
export function engineOf(parts: Parts): Engine {
  const { config, network } = parts;
  const escrow = { address: network.addresses.JobEscrow, abi: JobEscrow };
  const connectorOf = () => {
    const { connector } = getConnection(config);
    if (!connector) throw new WalletError("not-connected");
    return connector;
  };
  return {
    send: (flow, request, report) => send(parts, flow, request, report),
    deposit: (flow, amount, report) => deposit(parts, flow, amount, report),
    withdraw: (flow, amount, report) => {
      const what = `Withdraw ${tokens(amount)} MANY`;
      return send(parts, flow, { ...escrow, functionName: "withdraw", args: [amount], what }, report);
    },
    drip: (flow, report) => {
      const address = network.addresses.Faucet;
      const what = "Get test tokens";
      return send(parts, flow, { address, abi: Faucet, functionName: "drip", args: [flow.address], what }, report);
    },
    signTypedData: (flow, typed) =>
      flow.during(signTypedData(config, { ...typed, account: flow.address, connector: connectorOf() })),
    signMessage: (flow, message) =>
      flow.during(signMessage(config, { message, account: flow.address, connector: connectorOf() })),
    disconnect: () => disconnectAll(config),
    switchNetwork: async () => {
      await switchChain(config, { chainId: network.chainId });
    },
  };
}
