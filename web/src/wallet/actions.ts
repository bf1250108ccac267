import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useRef, useState } from "react";
import type { Abi, ContractFunctionName, Hash, Hex, TransactionReceipt } from "viem";
import { api, ok } from "../api/client";
import { useNetwork } from "../network/network";
import type { TypedMessage } from "../protocol";
import type { AnyWrite, Engine, WriteRequest } from "./engine";
import { WalletError, walletError } from "./messages";
import type { Session } from "./session";
import type { ActionState, Flow, Report } from "./store";
import { isOfChain, useSnapshot, useWalletStore } from "./WalletProvider";

/** Something that a wallet is asked to do. `run` never throws: null means that `state` holds the failure. */
export type Action<Args extends unknown[], Result> = {
  run: (...args: Args) => Promise<Result | null>;
  state: ActionState<Result>;
  busy: boolean;
  reset: () => void;
};

type Work<Args extends unknown[], Result> = (
  engine: Engine,
  flow: Flow,
  report: Report,
  ...args: Args
) => Promise<Result>;

/** An action by the connected account. A second run while one goes on does nothing. */
function useAction<Args extends unknown[], Result>(work: Work<Args, Result>): Action<Args, Result> {
  const store = useWalletStore();
  const queries = useQueryClient();
  const [state, setState] = useState<ActionState<Result>>({ step: "idle" });
  const running = useRef(false);

  const run = async (...args: Args): Promise<Result | null> => {
    if (running.current) return null;
    running.current = true;
    let hash: Hash | undefined;
    const report: Report = (told) => {
      if (told.step === "sent") hash = told.hash;
      setState(told);
    };
    try {
      const flow = store.begin();
      if (!store.engine) throw new WalletError("not-connected");
      const result = await work(store.engine, flow, report, ...args);
      setState({ step: "done", result, hash });
      return result;
    } catch (error) {
      setState({ step: "failed", error: walletError(error), hash });
      return null;
    } finally {
      running.current = false;
      void queries.invalidateQueries({ predicate: isOfChain });
    }
  };
  const reset = useCallback(() => {
    if (!running.current) setState({ step: "idle" });
  }, []);
  return { run, state, busy: state.step === "asking" || state.step === "sent", reset };
}

/** A contract call of any kind, simulated before the wallet is asked; done when it is as deep as the network wants. */
export function useSend() {
  const action = useAction((engine, flow, report, request: AnyWrite) => engine.send(flow, request, report));
  const run = <const abi extends Abi, name extends ContractFunctionName<abi, "nonpayable" | "payable">>(
    request: WriteRequest<abi, name>,
  ): Promise<TransactionReceipt | null> => action.run(request as unknown as AnyWrite);
  return { ...action, run };
}

/** A signature under an EIP-712 message, whose fields the wallet shows. `what` says in words what is signed. */
export const useSignTypedData = () =>
  useAction<[typed: TypedMessage, what?: string], Hex>((engine, flow, report, typed, what = "Sign the message") => {
    report({ step: "asking", what });
    return engine.signTypedData(flow, typed);
  });

/** Moves MANY wei from the wallet to the escrow: by a signed permit, where that does not work by an allowance. */
export const useDeposit = () =>
  useAction<[amount: bigint], TransactionReceipt>((engine, flow, report, amount) =>
    engine.deposit(flow, amount, report),
  );

/** Moves MANY wei from the escrow back to the wallet. */
export const useWithdraw = () =>
  useAction<[amount: bigint], TransactionReceipt>((engine, flow, report, amount) =>
    engine.withdraw(flow, amount, report),
  );

/** Tokens from the test network's faucet; `available` is false where the network has none. */
export function useDrip() {
  const { data: network } = useNetwork();
  const action = useAction<[], TransactionReceipt>((engine, flow, report) => engine.drip(flow, report));
  return { ...action, available: Boolean(network?.addresses.Faucet) };
}

/** Signing in at the market with the account (EIP-4361); `headers` go with calls that need it. */
export function useSession() {
  const store = useWalletStore();
  const { session, account } = useSnapshot();
  const current = session && session.address === account.address ? session : null;
  const signIn = useAction<[], Session>(async (engine, flow, report) => {
    report({ step: "asking", what: "Sign in to the market" });
    const challenge = api.POST("/v1/sign-in/challenge", { body: { address: flow.address } });
    const { message } = await flow.during(ok(challenge));
    const signature = await engine.signMessage(flow, message);
    const { token, expiresAt } = await flow.during(ok(api.POST("/v1/sign-in", { body: { message, signature } })));
    flow.check();
    const made = { address: flow.address, token, expiresAt };
    store.session(made);
    return made;
  });
  const headers: { Authorization?: string } = current ? { Authorization: `Bearer ${current.token}` } : {};
  const signOut = async () => {
    store.session(null);
    await api.DELETE("/v1/sign-in", { headers }).catch(() => undefined);
  };
  return { session: current, signIn, signOut, headers };
}
