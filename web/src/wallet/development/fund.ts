import { createPublicClient, createWalletClient, custom, numberToHex, parseEther } from "viem";
import { chainOf } from "../../chain/client";
import { Faucet } from "../../generated/Faucet";
import { MultitudeToken } from "../../generated/MultitudeToken";
import { type Problem, walletMessage } from "../messages";
import type { Grounds } from "./provider";

const COIN_LEAST = parseEther("10");
const COIN_GIVEN = parseEther("100");

const MINED_MS = 5_000;
const MINED_POLL_MS = 200;

/** The faucet may have given a moment ago, the next block may be late, the chain may be away: no harm to the wallet. */
const HARMLESS: readonly Problem[] = ["reverted", "unsure", "rpc-down"];

/** Gives the account coin out of nothing, and tokens of the faucet where it has none; as far as the chain lets it. */
export async function fund(grounds: Pick<Grounds, "network" | "account" | "rpc">): Promise<void> {
  try {
    await give(grounds);
  } catch (error) {
    if (!HARMLESS.includes(walletMessage(error).problem)) throw error;
  }
}

async function give({ network, account, rpc }: Pick<Grounds, "network" | "account" | "rpc">): Promise<void> {
  const options = { chain: chainOf(network), transport: custom({ request: rpc }, { retryCount: 0 }) };
  const client = createPublicClient(options);
  const { address } = account;
  if ((await client.getBalance({ address })) < COIN_LEAST) {
    await rpc({ method: "anvil_setBalance", params: [address, numberToHex(COIN_GIVEN)] });
  }
  const token = { address: network.addresses.MultitudeToken, abi: MultitudeToken } as const;
  const held = await client.readContract({ ...token, functionName: "balanceOf", args: [address] });
  if (held > 0n) return;
  const faucet = { address: network.addresses.Faucet, abi: Faucet } as const;
  const wallet = createWalletClient({ ...options, account });
  const gasPrice = 2n * (await client.getGasPrice());
  const hash = await wallet.writeContract({ ...faucet, functionName: "drip", args: [address], gasPrice });
  await client.waitForTransactionReceipt({ hash, timeout: MINED_MS, pollingInterval: MINED_POLL_MS });
}
