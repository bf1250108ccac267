import { messageOf, ProblemError } from "../api/problem";
import { type Reason, sentenceOf } from "./reasons";

/** What can stand in the way of a wallet's work. */
export type Problem =
  | "no-wallet"
  | "not-connected"
  | "wrong-network"
  | "rejected"
  | "busy"
  | "account-switched"
  | "network-switched"
  | "disconnected"
  | "rpc-down"
  | "market-down"
  | "no-coin"
  | "no-tokens"
  | "reverted"
  | "nonce"
  | "replaced"
  | "unsure"
  | "market-behind"
  | "session-expired"
  | "unknown";

/** The way out that a message offers as a button; null where there is none. */
export type WayOut = "connect" | "switch-network" | "retry" | "sign-in" | "get-tokens" | "wait" | null;

/** What to say, and what helps. */
export type WalletMessage = { problem: Problem; title: string; text: string; action: WayOut };

/** A wallet's failure whose kind is known; `detail` is added to what its kind says. */
export class WalletError extends Error {
  override name = "WalletError";

  constructor(
    readonly problem: Problem,
    readonly detail = "",
    options?: ErrorOptions,
  ) {
    super(`${problem}${detail ? `: ${detail}` : ""}`, options);
  }
}

const SAYINGS: Record<Problem, [title: string, text: string, action: WayOut]> = {
  "no-wallet": [
    "No wallet found",
    "This browser has no wallet. Install one as an extension (any that follows EIP-6963), then load this page again.",
    "connect",
  ],
  "not-connected": ["No wallet is connected", "Connect one to go on.", "connect"],
  "wrong-network": [
    "Your wallet is on another network",
    "Switch it to this market's network. Nothing was sent.",
    "switch-network",
  ],
  rejected: ["You rejected the request", "Nothing was signed and nothing was sent.", "retry"],
  busy: [
    "Your wallet is waiting for you",
    "An earlier request is open in it: answer that one, then try again.",
    "retry",
  ],
  "account-switched": [
    "The account was switched",
    "This was stopped, since it was begun for another account. If your wallet still asks, reject it there.",
    "retry",
  ],
  "network-switched": [
    "The network was switched",
    "This was stopped. If your wallet still asks, reject it there.",
    "switch-network",
  ],
  disconnected: [
    "The wallet was disconnected",
    "This was stopped. If your wallet still asks, reject it there.",
    "connect",
  ],
  "rpc-down": [
    "The chain does not answer",
    "Its RPC cannot be reached, so that nothing can be read or sent. Try again in a moment.",
    "retry",
  ],
  "market-down": ["The market does not answer", "Try again in a moment. Your tokens are not in its hands.", "retry"],
  "no-coin": [
    "Not enough coin for the network's fee",
    "The account needs some of the chain's own coin to pay for the transaction. Send it some, then try again.",
    "retry",
  ],
  "no-tokens": ["Not enough MANY", "", "get-tokens"],
  reverted: ["The contract refused", "", "retry"],
  nonce: [
    "Your wallet counts this account's transactions differently than the chain",
    "That happens when a local chain began anew: reset the account's activity in the wallet, then try again.",
    "retry",
  ],
  replaced: ["The transaction was replaced", "Your wallet cancelled it or sent another one in its place.", "retry"],
  unsure: [
    "It is not known yet whether the transaction went through",
    "The chain has not included it so far; it still may. Look at the account before you send it again.",
    "wait",
  ],
  "market-behind": [
    "The market is behind the chain",
    "What it shows may be older than what the chain has. It catches up by itself.",
    "wait",
  ],
  "session-expired": ["You are not signed in any more", "Sign in again with your wallet.", "sign-in"],
  unknown: ["That failed", "", "retry"],
};

/** What an error says in plain words, whatever wallet, chain or service it came from. Pure. */
export function walletMessage(error: unknown): WalletMessage {
  const { problem, detail } = classify(error);
  const [title, text, action] = SAYINGS[problem];
  return { problem, title, text: [detail, text].filter(Boolean).join(" "), action };
}

/** The error as a WalletError, itself kept as the cause. */
export function walletError(error: unknown): WalletError {
  if (error instanceof WalletError) return error;
  const { problem, detail } = classify(error);
  return new WalletError(problem, detail, { cause: error });
}

const NO_REASON = "It gave no reason.";

type Found = { problem: Problem; detail: string };
type Link = Record<string, unknown>;

/** Looks through an error's causes, the outermost first, with the rules in the order of their certainty. */
function classify(error: unknown): Found {
  if (error instanceof WalletError) return { problem: error.problem, detail: error.detail };
  if (error instanceof ProblemError) return ofMarket(error);
  const links = linksOf(error);
  for (const rule of [ofReason, ofCode, ofName, ofText]) {
    for (const link of links) {
      const found = rule(link);
      if (found) return found;
    }
  }
  const told = links.map((link) => link["shortMessage"] ?? link["message"]).find((text) => typeof text === "string");
  return { problem: "unknown", detail: typeof told === "string" ? told : messageOf(error) };
}

const LINKS_MAX = 12;

/** True where a contract refused with the custom error of this name. */
export const isRefusedWith = (error: unknown, name: string): boolean =>
  linksOf(error).some((link) => (link["data"] as { errorName?: unknown } | null | undefined)?.errorName === name);

/** The error, its causes, and what wallets hang below `data.originalError`. */
function linksOf(error: unknown): Link[] {
  const links: Link[] = [];
  const waiting: unknown[] = [error];
  while (waiting.length > 0 && links.length < LINKS_MAX) {
    const next = waiting.shift();
    if (typeof next !== "object" || next === null || links.includes(next as Link)) continue;
    const link = next as Link;
    links.push(link);
    const data = link["data"] as Link | null | undefined;
    waiting.push(link["cause"], typeof data === "object" ? data?.["originalError"] : undefined, link["error"]);
  }
  return links;
}

function ofMarket(error: ProblemError): Found {
  if (["session_expired", "unauthorized"].includes(error.code)) return { problem: "session-expired", detail: "" };
  if (error.code === "unreachable" || error.status >= 500) return { problem: "market-down", detail: "" };
  return { problem: "unknown", detail: messageOf(error) };
}

/** A revert whose custom error viem has decoded. */
function ofReason(link: Link): Found | null {
  const data = link["data"] as { errorName?: unknown; args?: readonly unknown[] } | undefined;
  if (typeof data !== "object" || typeof data?.errorName !== "string") return null;
  const reason: Reason = { name: data.errorName, args: data.args ?? [] };
  const problem = reason.name === "ERC20InsufficientBalance" ? "no-tokens" : "reverted";
  const standard = reason.name === "Error" || reason.name === "Panic";
  return { problem, detail: standard ? `It said: ${reason.args.map(String).join(", ")}.` : sentenceOf(reason) };
}

const CODES: Record<string, Problem> = {
  4001: "rejected",
  5000: "rejected",
  ACTION_REJECTED: "rejected",
  4100: "not-connected",
  4900: "disconnected",
  4901: "wrong-network",
  4902: "wrong-network",
  [-32002]: "busy",
};

/** EIP-1193's codes. */
function ofCode(link: Link): Found | null {
  const problem = CODES[String(link["code"])];
  return problem ? { problem, detail: "" } : null;
}

const NAMES: Record<string, Problem> = {
  UserRejectedRequestError: "rejected",
  ResourceUnavailableRpcError: "busy",
  ProviderNotFoundError: "no-wallet",
  ConnectorNotFoundError: "no-wallet",
  ConnectorNotConnectedError: "not-connected",
  ConnectorAccountNotFoundError: "account-switched",
  ConnectorChainMismatchError: "wrong-network",
  ChainMismatchError: "wrong-network",
  ChainNotConfiguredError: "wrong-network",
  ChainDisconnectedError: "wrong-network",
  SwitchChainError: "wrong-network",
  SwitchChainNotSupportedError: "wrong-network",
  ProviderDisconnectedError: "disconnected",
  InsufficientFundsError: "no-coin",
  NonceTooLowError: "nonce",
  NonceTooHighError: "nonce",
  WaitForTransactionReceiptTimeoutError: "unsure",
  TransactionNotFoundError: "unsure",
  HttpRequestError: "rpc-down",
  TimeoutError: "rpc-down",
  WebSocketRequestError: "rpc-down",
  SocketClosedError: "rpc-down",
};

/** The errors of viem and wagmi. */
function ofName(link: Link): Found | null {
  const name = String(link["name"]);
  const problem = NAMES[name];
  if (problem) return { problem, detail: "" };
  return name === "ContractFunctionRevertedError" ? { problem: "reverted", detail: NO_REASON } : null;
}

const TEXTS: [RegExp, Problem][] = [
  // A part of this page, which the market serves.
  [/dynamically imported module|importing a module script/i, "market-down"],
  [/insufficient funds|exceeds transaction sender account balance|outoffunds/i, "no-coin"],
  [/user (rejected|denied|cancell?ed)|rejected by user/i, "rejected"],
  [/nonce too (low|high)/i, "nonce"],
  [/failed to fetch|networkerror|load failed|network request failed|econnrefused|fetch failed/i, "rpc-down"],
  [/execution reverted/i, "reverted"],
];

/** What wallets only say. */
function ofText(link: Link): Found | null {
  const text = [link["details"], link["message"]].filter((part) => typeof part === "string").join(" ");
  const found = TEXTS.find(([pattern]) => pattern.test(text));
  return found ? { problem: found[1], detail: found[1] === "reverted" ? NO_REASON : "" } : null;
}
