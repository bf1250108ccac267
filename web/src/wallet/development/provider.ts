import {
  type Abi,
  type Address,
  createWalletClient,
  custom,
  type Hex,
  hexToBigInt,
  hexToString,
  numberToHex,
} from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { chainOf } from "../../chain/client";
import type { Network } from "../../network/network";
import type { Approval } from "./approvals";
import { transactionFacts, type TypedData, typedDataFacts } from "./describe";
import { fund } from "./fund";

/** A JSON-RPC request (EIP-1193). */
export type Request = { method: string; params?: unknown };

/** What the development wallet stands on: the local chain's RPC, its key, what it remembers, whom it asks. */
export type Grounds = {
  network: Network;
  account: PrivateKeyAccount;
  rpc: (request: Request) => Promise<unknown>;
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  abis: Readonly<Record<string, Abi>>;
  ask: (approval: Approval) => Promise<boolean>;
};

/** An EIP-1193 provider. It tells no events: its account and its chain never change. */
export type DevelopmentProvider = {
  request(request: Request): Promise<unknown>;
  on(): void;
  removeListener(): void;
};

/** A refusal with EIP-1193's code. */
export class Refusal extends Error {
  override name = "ProviderRpcError";

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

type Method = (...params: never[]) => Promise<unknown>;

const CONNECTED = "multitude.development-wallet.connected";
/** A local chain's base fee may rise until the transaction is mined. */
const GAS_PRICE_MARGIN = 2n;
const READS = /^(eth_(?!sign|send|accounts$|requestAccounts$|coinbase$)|net_|web3_)/;

/** A wallet in the page for local networks: signs with a key made here, after asking. Reads go to the chain's RPC. */
export function developmentProvider(grounds: Grounds): DevelopmentProvider {
  const methods: Record<string, Method> = {
    ...accountMethods(grounds),
    ...signMethods(grounds),
    ...chainMethods(grounds),
  };
  return {
    request: async ({ method, params }) => {
      const own = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (own) return own(...((Array.isArray(params) ? params : []) as never[]));
      if (READS.test(method)) return grounds.rpc({ method, params });
      throw new Refusal(4200, `The development wallet has no ${method}.`);
    },
    on: () => undefined,
    removeListener: () => undefined,
  };
}

/** Who is connected, kept for this browser. The account is funded once for each page load. */
function accountMethods(grounds: Grounds): Record<string, Method> {
  const { account, storage, ask } = grounds;
  const accounts = () => (storage.getItem(CONNECTED) === account.address ? [account.address] : []);
  let funded: Promise<void> | null = null;
  const open = async () => {
    const found = accounts();
    if (found.length > 0) await (funded ??= fund(grounds));
    return found;
  };
  const connect = async () => {
    if (accounts().length === 0) {
      const facts = [
        ["Account", account.address],
        ["It gets", "test coin and, from the faucet, test tokens"],
      ] as const;
      const title = "Connect to this page?";
      if (!(await ask({ kind: "connect", title, facts }))) throw new Refusal(4001, "The user rejected the connection.");
      storage.setItem(CONNECTED, account.address);
    }
    return open();
  };
  const permission = () =>
    accounts().map((address) => ({
      parentCapability: "eth_accounts",
      caveats: [{ type: "restrictReturnedAccounts", value: [address] }],
    }));
  return {
    eth_accounts: open,
    eth_requestAccounts: connect,
    wallet_requestPermissions: async () => {
      await connect();
      return permission();
    },
    wallet_getPermissions: async () => permission(),
    wallet_revokePermissions: async () => {
      storage.removeItem(CONNECTED);
      return null;
    },
  };
}

/** Signatures and transactions, each shown before. */
function signMethods({ network, account, rpc, storage, abis, ask }: Grounds): Record<string, Method> {
  const wallet = createWalletClient({
    account,
    chain: chainOf(network),
    transport: custom({ request: rpc }, { retryCount: 0 }),
  });
  const check = async (address: Address | undefined, title: string, facts: Approval["facts"]) => {
    const connected = storage.getItem(CONNECTED) === account.address;
    if (!connected || address?.toLowerCase() !== account.address.toLowerCase()) {
      throw new Refusal(4100, "The account is not connected.");
    }
    if (!(await ask({ kind: "sign", title, facts }))) throw new Refusal(4001, "The user rejected the request.");
  };
  const sendSigned = async (transaction: { to?: Address | undefined; data?: Hex | undefined; value: bigint }) => {
    const gasPrice = hexToBigInt((await rpc({ method: "eth_gasPrice" })) as Hex);
    return wallet.sendTransaction({ ...transaction, gasPrice: GAS_PRICE_MARGIN * gasPrice });
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    personal_sign: async (message: Hex, address: Address) => {
      await check(address, "Sign this message?", [["Message", hexToString(message)]]);
      return account.signMessage({ message: { raw: message } });
    },
    eth_signTypedData_v4: async (address: Address, text: string) => {
      const typed = JSON.parse(text) as TypedData;
      if (Number(typed.domain.chainId) !== network.chainId) throw new Refusal(-32602, "It is for another chain.");
      await check(address, `Sign this ${typed.primaryType}?`, typedDataFacts(typed));
      return account.signTypedData(typed);
    },
    eth_sendTransaction: async (transaction: Transaction) => {
      const { from, to, data } = transaction;
      const value = hexToBigInt(transaction.value ?? "0x0");
      await check(from, "Sign and send this transaction?", transactionFacts(network, abis, { to, data, value }));
      // One after the other, so that each finds the nonce that the one before left.
      const sent = last.then(() => sendSigned({ to, data, value }));
      last = sent.catch(() => undefined);
      return sent;
    },
  };
}

type Transaction = { from?: Address; to?: Address; value?: Hex; data?: Hex };

/** The one chain that it has. */
function chainMethods({ network }: Grounds): Record<string, Method> {
  const only = async ({ chainId }: { chainId: Hex }) => {
    if (Number(chainId) !== network.chainId)
      throw new Refusal(4902, "The development wallet has the local network only.");
    return null;
  };
  return {
    eth_chainId: async () => numberToHex(network.chainId),
    net_version: async () => String(network.chainId),
    wallet_switchEthereumChain: only,
    wallet_addEthereumChain: only,
  };
}
