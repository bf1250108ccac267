import { ConnectorChainMismatchError, ProviderNotFoundError } from "@wagmi/core";
import {
  BaseError,
  ContractFunctionExecutionError,
  ContractFunctionRevertedError,
  encodeErrorResult,
  HttpRequestError,
  InsufficientFundsError,
  ResourceUnavailableRpcError,
  TimeoutError,
  TransactionExecutionError,
  UserRejectedRequestError,
  WaitForTransactionReceiptTimeoutError,
} from "viem";
import { describe, expect, test } from "vitest";
import { ProblemError } from "../api/problem";
import { JobEscrow } from "../generated/JobEscrow";
import { MultitudeToken } from "../generated/MultitudeToken";
import { isRefusedWith, type Problem, WalletError, walletError, walletMessage } from "./messages";

const ACCOUNT = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A";
const url = "http://127.0.0.1:1";

const inContractCall = (cause: BaseError) =>
  new ContractFunctionExecutionError(cause, { abi: JobEscrow, functionName: "deposit", args: [1n] });
const inTransaction = (cause: BaseError) =>
  new TransactionExecutionError(cause, { account: { address: ACCOUNT, type: "json-rpc" } });

function refused(errorName: "JobEscrow_BalanceTooLow", args: readonly [bigint, bigint]) {
  const data = encodeErrorResult({ abi: JobEscrow, errorName, args });
  return inContractCall(new ContractFunctionRevertedError({ abi: JobEscrow, data, functionName: "withdraw" }));
}

const tooFewTokens = new ContractFunctionRevertedError({
  abi: MultitudeToken,
  data: encodeErrorResult({
    abi: MultitudeToken,
    errorName: "ERC20InsufficientBalance",
    args: [ACCOUNT, 10n ** 18n, 5n * 10n ** 18n],
  }),
  functionName: "transfer",
});

const CASES: [name: string, error: unknown, problem: Problem][] = [
  ["wallet's raw rejection", { code: 4001, message: "MetaMask Tx Signature: User denied" }, "rejected"],
  ["viem's rejection", inTransaction(new UserRejectedRequestError(new Error("no"))), "rejected"],
  ["ethers-like rejection", { code: "ACTION_REJECTED" }, "rejected"],
  ["rejection that is only said", new Error("User rejected the request."), "rejected"],
  ["open request", new ResourceUnavailableRpcError(new Error("Already processing eth_requestAccounts.")), "busy"],
  ["unauthorised account", { code: 4100, message: "not authorised" }, "not-connected"],
  ["wallet without a chain", { code: 4900, message: "disconnected" }, "disconnected"],
  ["no provider", new ProviderNotFoundError(), "no-wallet"],
  [
    "another network",
    new ConnectorChainMismatchError({ connectionChainId: 31337, connectorChainId: 1 }),
    "wrong-network",
  ],
  ["unknown network below data", { code: -32603, data: { originalError: { code: 4902 } } }, "wrong-network"],
  ["RPC down", inContractCall(new HttpRequestError({ url, details: "fetch failed" })), "rpc-down"],
  ["RPC silent", inContractCall(new TimeoutError({ body: {}, url })), "rpc-down"],
  ["wallet's RPC down", { code: -32603, message: "Failed to fetch" }, "rpc-down"],
  ["no coin", inTransaction(new InsufficientFundsError()), "no-coin"],
  ["no coin, by a node", { code: -32000, message: "insufficient funds for gas * price + value" }, "no-coin"],
  ["no coin, by anvil", { code: -32003, message: "Insufficient funds for gas * price + value" }, "no-coin"],
  ["nonce", { code: -32000, message: "nonce too low" }, "nonce"],
  ["no tokens", inContractCall(tooFewTokens), "no-tokens"],
  ["contract's reason", refused("JobEscrow_BalanceTooLow", [1n, 2n]), "reverted"],
  ["revert without a reason", { code: 3, message: "execution reverted" }, "reverted"],
  ["not included", new WaitForTransactionReceiptTimeoutError({ hash: `0x${"1".repeat(64)}` }), "unsure"],
  ["session over", new ProblemError("session_expired", "Sign in again.", 401), "session-expired"],
  ["market away", new ProblemError("unreachable", "The market does not answer.", 0), "market-down"],
  ["market without its database", new ProblemError("unavailable", "Busy.", 503), "market-down"],
  ["a part of the page", new TypeError("Failed to fetch dynamically imported module: /x.js"), "market-down"],
  ["market's own refusal", new ProblemError("bid_refused", "The deadline is too near.", 422), "unknown"],
  ["anything else", new Error("strange"), "unknown"],
  ["a text", "strange", "unknown"],
  ["nothing", null, "unknown"],
];

describe("walletMessage", () => {
  test.each(CASES)("of %s names the problem", (_name, error, problem) => {
    expect(walletMessage(error).problem).toBe(problem);
  });

  test("of every case has a title and a text", () => {
    for (const [name, error] of CASES) {
      const { title, text } = walletMessage(error);
      expect(title, name).not.toBe("");
      expect(text, name).not.toBe("");
    }
  });

  test("of two problems never says the same", () => {
    const said = new Map(CASES.map(([, error]) => [walletMessage(error).problem, walletMessage(error).title]));
    expect(new Set(said.values()).size).toBe(said.size);
  });

  test("tells the contract's reason in words with amounts", () => {
    const { text, action } = walletMessage(refused("JobEscrow_BalanceTooLow", [10n ** 18n, 3n * 10n ** 18n]));
    expect(text).toBe("Of the deposit 1 MANY are free and 3 MANY are needed.");
    expect(action).toBe("retry");
  });

  test("offers the way out of each problem", () => {
    const way = (problem: Problem) => walletMessage(new WalletError(problem)).action;
    expect([way("wrong-network"), way("no-tokens"), way("session-expired"), way("disconnected")]).toEqual([
      "switch-network",
      "get-tokens",
      "sign-in",
      "connect",
    ]);
  });

  test("of a circle of causes ends", () => {
    const first: { cause?: unknown; message: string } = { message: "round" };
    first.cause = { cause: first };
    expect(walletMessage(first).text).toBe("round");
  });
});

test("walletError keeps what it says and its cause", () => {
  const cause = refused("JobEscrow_BalanceTooLow", [1n, 2n]);
  const error = walletError(cause);
  expect(walletMessage(error)).toEqual(walletMessage(cause));
  expect(walletError(error)).toBe(error);
  expect(isRefusedWith(error, "JobEscrow_BalanceTooLow")).toBe(true);
  expect(isRefusedWith(error, "JobEscrow_AllowanceTooLow")).toBe(false);
});
