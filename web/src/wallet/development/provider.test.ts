import {
  type Abi,
  encodeAbiParameters,
  encodeErrorResult,
  encodeFunctionData,
  type Hex,
  parseTransaction,
  recoverMessageAddress,
  recoverTransactionAddress,
  recoverTypedDataAddress,
  stringToHex,
  type TransactionSerialized,
  toFunctionSelector,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { beforeEach, expect, test, vi } from "vitest";

vi.hoisted(() => vi.stubGlobal("location", new URL("http://localhost")));

import { ABIS } from "../../chain/contracts";
import { Faucet } from "../../generated/Faucet";
import type { Network } from "../../network/network";
import { permitTypedData } from "../engine/permit";
import { type Approval, Approvals } from "./approvals";
import { isDevelopmentNode } from "./announce";
import { developmentProvider, type Grounds, type Request } from "./provider";

const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
const ESCROW = "0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
const TOKEN = "0xabababababababababababababababababababab";
const FAUCET = "0xefefefefefefefefefefefefefefefefefefefef";
const network = {
  chainId: 31337,
  rpc: "http://127.0.0.1:1",
  addresses: { JobEscrow: ESCROW, MultitudeToken: TOKEN, Faucet: FAUCET },
} as unknown as Network;

const uint = (value: bigint) => encodeAbiParameters([{ type: "uint256" }], [value]);

/** A node that answers what the wallet needs: tokens held, the coin, what was sent. */
class Node {
  coin = 0n;
  held = 0n;
  faucetRefuses = false;
  asked: string[] = [];
  sent: Hex[] = [];

  readonly rpc = async ({ method, params }: Request): Promise<unknown> => {
    this.asked.push(method);
    const [first] = (params ?? []) as [never];
    switch (method) {
      case "eth_getBalance":
        return `0x${this.coin.toString(16)}`;
      case "anvil_setBalance":
        this.coin = BigInt((params as [string, Hex])[1]);
        return null;
      case "eth_call":
        return uint(this.held);
      case "eth_estimateGas":
        if (this.faucetRefuses && (first as { to: string }).to === FAUCET) throw this.#refusal();
        return "0x5208";
      case "eth_getTransactionCount":
        return `0x${this.sent.length.toString(16)}`;
      case "eth_getBlockByNumber":
        return { number: "0x1", timestamp: "0x1", baseFeePerGas: "0x7", transactions: [] };
      case "eth_maxPriorityFeePerGas":
      case "eth_gasPrice":
        return "0x1";
      case "eth_blockNumber":
        return "0x2";
      case "eth_getTransactionByHash":
        return { hash: first, blockNumber: "0x2", input: "0x" };
      case "eth_getTransactionReceipt":
        return { transactionHash: first, blockNumber: "0x2", status: "0x1", logs: [] };
      case "eth_sendRawTransaction":
        this.sent.push(first);
        return `0x${this.sent.length.toString(16).padStart(64, "0")}`;
      default:
        throw Object.assign(new Error(`no ${method}`), { code: -32601 });
    }
  };

  #refusal() {
    const data = encodeErrorResult({ abi: Faucet, errorName: "Faucet_TooSoon", args: [1n, 2n] });
    return Object.assign(new Error("execution reverted"), { code: 3, data });
  }
}

let node: Node;
let kept: Map<string, string>;
let shown: Approval[];
let says: boolean;

const provider = () =>
  developmentProvider({
    network,
    account,
    rpc: node.rpc,
    abis: ABIS as unknown as Record<string, Abi>,
    storage: {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    },
    ask: async (approval) => {
      shown.push(approval);
      return says;
    },
  } satisfies Grounds);

async function connected() {
  const found = provider();
  await found.request({ method: "eth_requestAccounts" });
  shown = [];
  return found;
}

const facts = () => Object.fromEntries(shown.flatMap((approval) => approval.facts));

beforeEach(() => {
  node = new Node();
  kept = new Map();
  shown = [];
  says = true;
});

test("accounts are nobody's business before connecting", async () => {
  expect(await provider().request({ method: "eth_accounts" })).toEqual([]);
  expect(node.asked).toEqual([]);
});

test("connecting that is rejected is 4001 and keeps nothing", async () => {
  says = false;
  for (const method of ["eth_requestAccounts", "wallet_requestPermissions"]) {
    await expect(provider().request({ method })).rejects.toMatchObject({ code: 4001 });
  }
  expect(kept.size).toBe(0);
  expect(node.asked).toEqual([]);
});

test("connecting gives coin and tokens, once, and lasts over a reload", async () => {
  const first = await connected();
  await first.request({ method: "eth_accounts" });
  expect(node.coin).toBe(100n * 10n ** 18n);
  expect(node.sent).toHaveLength(1);
  expect(parseTransaction(node.sent[0] as Hex)).toMatchObject({
    to: FAUCET,
    data: encodeFunctionData({ abi: Faucet, functionName: "drip", args: [account.address] }),
  });
  node.held = 1n;
  expect(await provider().request({ method: "eth_accounts" })).toEqual([account.address]);
  expect(shown).toEqual([]);
  expect(node.sent).toHaveLength(1);
});

test("connecting goes on where the faucet refuses", async () => {
  node.faucetRefuses = true;
  const found = await connected();
  expect(await found.request({ method: "eth_accounts" })).toEqual([account.address]);
  expect(node.sent).toEqual([]);
});

test("revoked permissions disconnect", async () => {
  const found = await connected();
  await found.request({ method: "wallet_revokePermissions", params: [{ eth_accounts: {} }] });
  expect(await found.request({ method: "eth_accounts" })).toEqual([]);
  expect(await found.request({ method: "wallet_getPermissions" })).toEqual([]);
});

test("signing for an account that is not connected, or not its own, is 4100", async () => {
  const message = stringToHex("hello");
  const lost = provider().request({ method: "personal_sign", params: [message, account.address] });
  await expect(lost).rejects.toMatchObject({ code: 4100 });
  const other = (await connected()).request({ method: "personal_sign", params: [message, ESCROW] });
  await expect(other).rejects.toMatchObject({ code: 4100 });
  expect(shown).toEqual([]);
});

test("personal_sign shows the message and signs it", async () => {
  const found = await connected();
  const asked = { method: "personal_sign", params: [stringToHex("Sign in to\nthis market"), account.address] };
  const signature = (await found.request(asked)) as Hex;
  expect(facts()["Message"]).toBe("Sign in to\nthis market");
  expect(await recoverMessageAddress({ message: "Sign in to\nthis market", signature })).toBe(account.address);
  says = false;
  await expect(found.request(asked)).rejects.toMatchObject({ code: 4001 });
});

test("eth_signTypedData_v4 shows the fields for a person and signs them", async () => {
  const found = await connected();
  const owner = account.address;
  const permit = { chainId: 31337, token: TOKEN, owner, spender: ESCROW, nonce: 0n, deadline: 1893456000n } as const;
  const typed = permitTypedData({ ...permit, value: 25n * 10n ** 17n });
  const text = JSON.stringify(typed, (_key, value) => (typeof value === "bigint" ? String(value) : value));
  const signature = (await found.request({ method: "eth_signTypedData_v4", params: [account.address, text] })) as Hex;
  expect(await recoverTypedDataAddress({ ...typed, signature })).toBe(account.address);
  expect(shown[0]?.title).toBe("Sign this Permit?");
  expect(facts()).toMatchObject({
    For: `Multitude on chain 31337, contract ${TOKEN}`,
    value: "2.5 MANY (2500000000000000000 wei)",
    deadline: "2030-01-01 00:00:00 UTC (1893456000)",
  });
});

test("eth_signTypedData_v4 for another chain is refused unseen", async () => {
  const found = await connected();
  const text = JSON.stringify({ domain: { chainId: 1 }, types: {}, primaryType: "Bid", message: {} });
  const asked = found.request({ method: "eth_signTypedData_v4", params: [account.address, text] });
  await expect(asked).rejects.toMatchObject({ code: -32602 });
  expect(shown).toEqual([]);
});

test("eth_sendTransaction shows function and arguments, signs, and sends each under its own nonce", async () => {
  const found = await connected();
  const data = encodeFunctionData({ abi: ABIS.JobEscrow, functionName: "deposit", args: [3n * 10n ** 18n] });
  const asked = { method: "eth_sendTransaction", params: [{ from: account.address, to: ESCROW, data }] };
  node.sent = [];
  const hashes = await Promise.all([found.request(asked), found.request(asked)]);
  expect(new Set(hashes).size).toBe(2);
  expect(facts()).toMatchObject({
    Contract: `JobEscrow (${ESCROW})`,
    Function: "deposit",
    amount: expect.stringMatching(/^3 MANY/),
  });
  const [first, second] = node.sent as [TransactionSerialized, TransactionSerialized];
  expect([parseTransaction(first).nonce ?? 0, parseTransaction(second).nonce]).toEqual([0, 1]);
  expect(await recoverTransactionAddress({ serializedTransaction: first })).toBe(account.address);
});

test("eth_sendTransaction that is rejected sends nothing", async () => {
  const found = await connected();
  node.sent = [];
  says = false;
  const asked = { method: "eth_sendTransaction", params: [{ from: account.address, to: ESCROW, data: "0x" }] };
  await expect(found.request(asked)).rejects.toMatchObject({ code: 4001 });
  expect(node.sent).toEqual([]);
});

test("another network is 4902, the own one is fine", async () => {
  const found = provider();
  const to = (chainId: Hex) => found.request({ method: "wallet_switchEthereumChain", params: [{ chainId }] });
  await expect(to("0x1")).rejects.toMatchObject({ code: 4902 });
  expect(await to("0x7a69")).toBeNull();
  expect(await found.request({ method: "eth_chainId" })).toBe("0x7a69");
});

test.each(["anvil_setBalance", "eth_sign", "eth_sendRawTransaction", "eth_signTransaction", "constructor"])(
  "%s is not the wallet's",
  async (method) => {
    await expect((await connected()).request({ method, params: [] })).rejects.toMatchObject({ code: 4200 });
  },
);

test("reads go to the chain", async () => {
  node.held = 9n;
  const data = toFunctionSelector("totalSupply()");
  expect(await provider().request({ method: "eth_call", params: [{ to: TOKEN, data }] })).toBe(uint(9n));
});

test("isDevelopmentNode only where anvil's methods are answered", async () => {
  expect(await isDevelopmentNode(node.rpc)).toBe(false);
  expect(await isDevelopmentNode(async () => ({}))).toBe(true);
});

test("Approvals show one request after the other, and none where trusted", async () => {
  const approvals = new Approvals();
  const ask = (title: string) => approvals.ask({ kind: "sign", title, facts: [] });
  const [first, second] = [ask("one"), ask("two")];
  approvals.first()?.answer(false, true);
  expect(await first).toBe(false);
  expect(approvals.first()?.title).toBe("two");
  approvals.first()?.answer(true, true);
  expect(await second).toBe(true);
  expect(await ask("three")).toBe(true);
  expect(approvals.first()).toBeNull();
});
