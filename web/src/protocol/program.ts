/** The identity of a program (section 3). */
import { checkBigUint, checkUint, wordsOf, type Hex } from "./encoding.ts";
import { EncodingInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";

/** Who judges a dispute over a program: the EVM alone, or a panel of seats. */
export const Assurance = { PROVABLE: 1, REPLAYABLE: 2 } as const;
export type Assurance = (typeof Assurance)[keyof typeof Assurance];

/** All that a program id commits to, in the order of `abi.encode`. Limits in WU, 64 KiB pages and bytes. */
export interface ProgramFacts {
  readonly assurance: number;
  readonly originalHash: Hex;
  readonly rewrittenHash: Hex;
  readonly codeRoot: Hex;
  readonly initialMemoryRoot: Hex;
  readonly limitWU: bigint;
  readonly memoryPages: number;
  readonly frameBytes: number;
  readonly toolVersion: number;
}

/** The program's name; EncodingInvalid if a fact is out of range. */
export function programId(facts: ProgramFacts): Hex {
  const { assurance, originalHash, rewrittenHash, codeRoot, initialMemoryRoot } = facts;
  if (assurance !== Assurance.PROVABLE && assurance !== Assurance.REPLAYABLE) {
    throw new EncodingInvalid(`class ${assurance} is unknown`);
  }
  const limits = [
    checkBigUint(facts.limitWU, 64, "limitWU"),
    checkUint(facts.memoryPages, 32, "memoryPages"),
    checkUint(facts.frameBytes, 32, "frameBytes"),
    checkUint(facts.toolVersion, 32, "toolVersion"),
  ];
  return keccak256(wordsOf([assurance, originalHash, rewrittenHash, codeRoot, initialMemoryRoot, ...limits]));
}
