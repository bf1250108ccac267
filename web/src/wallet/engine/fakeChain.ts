import { connect, createConfig, injected } from "@wagmi/core";
import {
  createPublicClient,
  custom,
  decodeFunctionData,
  encodeAbiParameters,
  encodeErrorResult,
  type Hex,
  numberToHex,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { chainOf } from "../../chain/client";
import { ABIS } from "../../chain/contracts";
import type { Network } from "../../network/network";
import { WalletStore } from "../store";
import type { Parts } from "./start";

const KEY = privateKeyToAccount(`0x${"11".repeat(32)}`);
const OTHER = "0x1563915e194D8CfBA1943570603F7606A3115508";
const TOKEN = "0xabababababababababababababababababababab";
const ESCROW = "0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
const network = {
  chainId: 31337,
  rpc: "http://127.0.0.1:1",
  confirmations: 2,
  addresses: { MultitudeToken: TOKEN, JobEscrow: ESCROW },
} as unknown as Network;

type Params = readonly unknown[];
type Call = { to: Hex; data: Hex };

/** For tests: a chain with a token and an escrow in a few numbers, and a wallet on it that does as it is told. */
export class FakeChain {
  coin = 10n ** 18n;
  balance = 100n;
  allowance = 0n;
  deposited = 0n;
  /** Somebody else used the permit before: it fails, and the allowance that it gave was spent. */
  permitIsUsed = false;
  /** Transactions fail when they are mined, though their simulation did not. */
  revertsMined = false;
  head = 10n;
  /** Functions sent, in their order. */
  sent: string[] = [];
  down = false;
  signs: (text: string) => Promise<Hex> = (text) => KEY.signTypedData(JSON.parse(text));
  /** Called when a receipt is read: the transaction is mined. */
  reads: () => void = () => undefined;
  #mined = new Map<string, { block: bigint; reverted: boolean }>();

  /** wagmi connected to the wallet, with the store that hears of its account. */
  async start() {
    const provider = {
      request: ({ method, params }: never) => this.#wallet(method, params),
      on() {},
      removeListener() {},
    };
    const chain = chainOf(network);
    const transport = custom({ request: ({ method, params }: never) => this.#rpc(method, params) }, { retryCount: 0 });
    const connector = injected({ target: () => ({ id: "test", name: "Test", provider: () => provider as never }) });
    const config = createConfig({
      chains: [chain],
      connectors: [connector],
      transports: { [chain.id]: transport },
      multiInjectedProviderDiscovery: false,
      storage: null,
    });
    for (const found of config.connectors) await connect(config, { connector: found });
    const client = createPublicClient({ chain, transport, pollingInterval: 1 });
    const store = new WalletStore<never>({ getItem: () => null, removeItem: () => undefined } as never, true);
    const become = (address: Hex) =>
      store.connection({ status: "connected", address, chainId: network.chainId, wallet: "Test" }, network.chainId);
    become(KEY.address);
    const parts = { config, network, client } as unknown as Parts;
    return { parts, store, switchAccount: () => become(OTHER) };
  }

  async #wallet(method: string, params: Params): Promise<unknown> {
    if (method === "eth_requestAccounts" || method === "eth_accounts") return [KEY.address];
    if (method === "eth_signTypedData_v4") return this.signs(params[1] as string);
    if (method !== "eth_sendTransaction") return this.#rpc(method, params);
    const { name, args } = called(params[0] as Call);
    const hash = numberToHex(this.sent.push(name), { size: 32 });
    this.head += 1n;
    this.#mined.set(hash, { block: this.head, reverted: this.revertsMined });
    if (this.revertsMined) this.permitIsUsed = true;
    else this.#apply(name, args as readonly bigint[]);
    this.revertsMined = false;
    return hash;
  }

  async #rpc(method: string, params: Params): Promise<unknown> {
    if (this.down) throw new TypeError("fetch failed");
    const answers: Record<string, () => unknown> = {
      eth_chainId: () => numberToHex(network.chainId),
      eth_blockNumber: () => numberToHex(++this.head),
      eth_getBlockByNumber: () => ({ number: numberToHex(this.head), timestamp: "0x3e8", transactions: [] }),
      eth_getBalance: () => numberToHex(this.coin),
      eth_gasPrice: () => "0x1",
      eth_estimateGas: () => (this.#call(params[0] as Call), "0x5208"),
      eth_call: () => this.#call(params[0] as Call),
      eth_getTransactionByHash: () => ({ hash: params[0], blockNumber: "0x1", input: "0x" }),
      eth_getTransactionReceipt: () => this.#receipt(params[0] as string),
    };
    const answer = answers[method];
    if (!answer) throw Object.assign(new Error(`no ${method}`), { code: -32601 });
    return answer();
  }

  #receipt(hash: string) {
    const found = this.#mined.get(hash);
    if (!found) return null;
    this.reads();
    return {
      transactionHash: hash,
      blockNumber: numberToHex(found.block),
      status: found.reverted ? "0x0" : "0x1",
      logs: [],
    };
  }

  #call(call: Call): Hex {
    const { name, args } = called(call);
    const amount = args[0] as bigint;
    const views: Record<string, bigint> = {
      balanceOf: this.balance,
      allowance: this.allowance,
      nonces: 7n,
      approve: 1n,
    };
    const view = views[name];
    if (view !== undefined) return encodeAbiParameters([{ type: "uint256" }], [view]);
    const covered = name === "depositWithPermit" && !this.permitIsUsed ? amount : this.allowance;
    if (covered >= amount) return "0x";
    const data = encodeErrorResult({
      abi: ABIS.JobEscrow,
      errorName: "JobEscrow_AllowanceTooLow",
      args: [covered, amount],
    });
    throw Object.assign(new Error("execution reverted"), { code: 3, data });
  }

  #apply(name: string, args: readonly bigint[]): void {
    if (name === "approve") this.allowance = args[1] ?? 0n;
    else this.deposited += args[0] ?? 0n;
  }
}

function called({ to, data }: Call): { name: string; args: readonly unknown[] } {
  const abi = to === TOKEN ? ABIS.MultitudeToken : ABIS.JobEscrow;
  const { functionName, args = [] } = decodeFunctionData({ abi, data });
  return { name: functionName, args };
}
