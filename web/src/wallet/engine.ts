import type { Abi, Address, ContractFunctionArgs, ContractFunctionName, Hex, TransactionReceipt } from "viem";
import type { TypedMessage } from "../protocol";
import type { Flow, Report } from "./store";

type Writing = "nonpayable" | "payable";

/** A call of a contract's function that changes the chain; `what` says in words what it does, `value` is coin in wei. */
export type WriteRequest<
  abi extends Abi | readonly unknown[] = Abi,
  name extends ContractFunctionName<abi, Writing> = ContractFunctionName<abi, Writing>,
> = {
  address: Address;
  abi: abi;
  functionName: name;
  args: ContractFunctionArgs<abi, Writing, name>;
  value?: bigint;
  what: string;
};

/** A call whose types were checked where it was written. */
export type AnyWrite = {
  address: Address;
  abi: Abi;
  functionName: string;
  args: readonly unknown[];
  value?: bigint;
  what: string;
};

/** What the heavy part does once it is loaded. Amounts in token wei. Every call may throw what walletMessage explains. */
export type Engine = {
  /** Resolves once the transaction is as deep as the network wants it. */
  send(flow: Flow, request: AnyWrite, report: Report): Promise<TransactionReceipt>;
  deposit(flow: Flow, amount: bigint, report: Report): Promise<TransactionReceipt>;
  withdraw(flow: Flow, amount: bigint, report: Report): Promise<TransactionReceipt>;
  drip(flow: Flow, report: Report): Promise<TransactionReceipt>;
  signTypedData(flow: Flow, typed: TypedMessage): Promise<Hex>;
  /** EIP-191, the text as it is. */
  signMessage(flow: Flow, text: string): Promise<Hex>;
  disconnect(): Promise<void>;
  /** Asks the wallet to switch, or to add the network first. */
  switchNetwork(): Promise<void>;
};
