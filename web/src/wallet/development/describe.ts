import { type Abi, type Address, decodeFunctionData, formatEther, type Hex } from "viem";
import type { Network } from "../../network/network";
import { exactTokens } from "../../ui/numbers";

type Facts = (readonly [name: string, value: string])[];

/** Typed data as `eth_signTypedData_v4` brings it. */
export type TypedData = {
  domain: { name?: string; chainId?: number; verifyingContract?: Address };
  types: Record<string, readonly { name: string; type: string }[]>;
  primaryType: string;
  message: Record<string, unknown>;
};

const WEI_FIELDS: readonly string[] = ["budget", "minStake", "maxPriceWeiPerGWU", "priceWeiPerGWU", "amount", "value"];
const TIME_FIELDS: readonly string[] = ["deadline", "expiry", "postBy", "issuedAt"];
const TIME_MAX = 8.64e12;

/** A field's value for a person: amounts in MANY, times as dates, the raw value beside. */
export function valueText(name: string, value: unknown): string {
  const number = typeof value === "bigint" || /^\d+$/.test(String(value)) ? BigInt(String(value)) : null;
  if (number !== null && WEI_FIELDS.includes(name)) return exactTokens(number);
  if (number !== null && TIME_FIELDS.includes(name) && number < TIME_MAX) {
    return `${new Date(Number(number) * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC (${number})`;
  }
  if (Array.isArray(value)) return value.map((item) => valueText("", item)).join(", ");
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}

/** The fields of typed data as they are signed, its domain first. */
export function typedDataFacts(typed: TypedData): Facts {
  const { name, chainId, verifyingContract } = typed.domain;
  const fields = typed.types[typed.primaryType] ?? [];
  return [
    ["For", `${name ?? "?"} on chain ${String(chainId)}, contract ${verifyingContract ?? "?"}`],
    ...fields.map(({ name }) => [name, valueText(name, typed.message[name])] as const),
  ];
}

/** What a transaction does: contract, function and arguments where they are ours, else its bytes. */
export function transactionFacts(
  network: Network,
  abis: Readonly<Record<string, Abi>>,
  transaction: { to?: Address; value?: bigint; data?: Hex },
): Facts {
  const { to = "0x", value = 0n, data = "0x" } = transaction;
  const contract = Object.entries(network.addresses).find(([, at]) => at.toLowerCase() === to.toLowerCase())?.[0];
  const abi = contract ? abis[contract] : undefined;
  const coin: Facts = value > 0n ? [["Coin sent", `${formatEther(value)} ETH`]] : [];
  if (!contract || !abi || data === "0x") return [["To", to], ["Data", data], ...coin];
  const { functionName, args = [] } = decodeFunctionData({ abi, data });
  const named = abi.find((item) => item.type === "function" && item.name === functionName);
  const names = named?.type === "function" ? named.inputs.map(({ name }, index) => name ?? String(index)) : [];
  return [
    ["Contract", `${contract} (${to})`],
    ["Function", functionName],
    ...args.map((value, index) => [names[index] ?? String(index), valueText(names[index] ?? "", value)] as const),
    ...coin,
  ];
}
