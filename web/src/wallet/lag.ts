import { walletError, WalletError } from "./messages";

/** Blocks beyond the confirmations that a market may be late with before anybody is told. */
const BLOCKS_BEHIND_MAX = 10n;
const ANSWER_MS = 10_000;

/** What to say of a market that has read up to `indexed` of a chain that is at `head`; null where that is fresh enough. */
export function marketLag(indexed: bigint, head: bigint, confirmations: number): WalletError | null {
  const behind = head - indexed - BigInt(confirmations);
  return behind > BLOCKS_BEHIND_MAX
    ? new WalletError("market-behind", `It has read block ${indexed}; the chain is at ${head}.`)
    : null;
}

/** The chain's newest block, asked without a client, since every page asks it. @throws WalletError "rpc-down". */
export async function headOf(rpc: string): Promise<bigint> {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_blockNumber", params: [] });
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(rpc, { method: "POST", headers: { "content-type": "application/json" }, body, signal });
    const { result } = (await answer.json()) as { result: string };
    return BigInt(result);
  } catch (error) {
    throw new WalletError("rpc-down", "", { cause: walletError(error) });
  }
}
