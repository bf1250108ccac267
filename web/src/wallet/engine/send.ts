import { writeContract } from "@wagmi/core";
import { type Abi, type Hash, type PublicClient, TransactionReceiptNotFoundError, type TransactionReceipt } from "viem";
import type { AnyWrite } from "../engine";
import { WalletError, walletError, walletMessage } from "../messages";
import type { Flow, Report } from "../store";
import { ALL_ERRORS } from "./errors";
import type { Parts } from "./start";

const FOLLOW_MS = 10 * 60 * 1000;

/**
 * Calls a contract from the flow's account and follows the transaction until it is as deep as the network wants it.
 * @throws what walletMessage explains: what the simulation found, the wallet's answer, or the transaction's revert.
 */
export async function send(parts: Parts, flow: Flow, request: AnyWrite, report: Report): Promise<TransactionReceipt> {
  const { config, network, client } = parts;
  const { what, ...rest } = request;
  const call = { ...rest, abi: [...request.abi, ...ALL_ERRORS] as Abi, account: flow.address };
  report({ step: "asking", what });
  await flow.during(client.simulateContract(call));
  await flow.during(checkCoin(client, call));
  const hash = await flow.during(writeContract(config, { ...call, chainId: network.chainId }));
  return follow(parts, hash, call, (sent, confirmations) =>
    report({ step: "sent", what, hash: sent, confirmations, needed: depthOf(parts) }),
  );
}

type Call = Omit<AnyWrite, "what"> & { account: Flow["address"] };

/** @throws WalletError "no-coin" where the account cannot pay for the call. */
async function checkCoin(client: PublicClient, call: Call): Promise<void> {
  const [balance, gas, price] = await Promise.all([
    client.getBalance({ address: call.account }),
    client.estimateContractGas(call),
    client.getGasPrice(),
  ]);
  if (balance < gas * price + (call.value ?? 0n)) throw new WalletError("no-coin");
}

const depthOf = ({ network }: Parts): number => Math.max(1, network.confirmations);

/** Follows a transaction through being replaced and through reorganisations. */
async function follow(
  parts: Parts,
  sent: Hash,
  call: Call,
  tell: (hash: Hash, confirmations: number) => void,
): Promise<TransactionReceipt> {
  const { client } = parts;
  const until = Date.now() + FOLLOW_MS;
  let hash = sent;
  tell(hash, 0);
  while (Date.now() < until) {
    const found = await included(client, hash, until - Date.now());
    hash = found.transactionHash;
    if (found.status === "reverted") throw await whyReverted(client, call, found);
    const receipt = await buried(client, hash, depthOf(parts), until, (depth) => tell(hash, depth));
    if (receipt) return receipt;
  }
  throw new WalletError("unsure");
}

/** The receipt, once a block holds the transaction or the one that the wallet sent in its place with a higher fee. */
async function included(client: PublicClient, hash: Hash, timeout: number): Promise<TransactionReceipt> {
  let replaced = false;
  const receipt = await client.waitForTransactionReceipt({
    hash,
    timeout,
    onReplaced: ({ reason }) => (replaced = reason !== "repriced"),
  });
  if (replaced) throw new WalletError("replaced");
  return receipt;
}

/** The receipt, `needed` blocks deep; null where a reorganisation took it out or the time is over. */
async function buried(
  client: PublicClient,
  hash: Hash,
  needed: number,
  until: number,
  tell: (depth: number) => void,
): Promise<TransactionReceipt | null> {
  while (Date.now() < until) {
    try {
      const [receipt, head] = await Promise.all([
        client.getTransactionReceipt({ hash }),
        client.getBlockNumber({ cacheTime: 0 }),
      ]);
      const depth = Math.min(needed, Math.max(0, Number(head - receipt.blockNumber) + 1));
      tell(depth);
      if (depth >= needed) return receipt;
    } catch (error) {
      if (error instanceof TransactionReceiptNotFoundError) return null;
      if (walletMessage(error).problem !== "rpc-down") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, client.pollingInterval));
  }
  return null;
}

/**
 * The contract's reason, found by calling again: on the block before, and where the call passes there, on its own block,
 * since what made it fail may stand in the same one.
 */
async function whyReverted(
  client: PublicClient,
  call: Call,
  { blockNumber }: TransactionReceipt,
): Promise<WalletError> {
  try {
    for (const block of [blockNumber - 1n, blockNumber]) await client.simulateContract({ ...call, blockNumber: block });
  } catch (error) {
    if (walletMessage(error).problem !== "rpc-down") return walletError(error);
  }
  return new WalletError("reverted", "It gave no reason.");
}
