import type { Abi } from "viem";
import { ABIS } from "../../chain/contracts";

type AbiError = Extract<Abi[number], { type: "error" }>;

/** The custom errors of all our contracts, each once: a call of one may be refused by another that it calls. */
export const ALL_ERRORS: readonly AbiError[] = [
  ...new Map(
    Object.values(ABIS)
      .flatMap((abi): readonly { type: string }[] => abi)
      .filter((item): item is AbiError => item.type === "error")
      .map((error) => [error.name, error]),
  ).values(),
];
