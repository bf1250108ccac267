/** What a contract's code can do to itself and to its users: looked for in the code as it is on the chain. Pure. */
import { toFunctionSelector } from "viem";
import { fromHex, type Hex } from "../../protocol";

const PUSH1 = 0x60;
const PUSH4 = 0x63;
const PUSH32 = 0x7f;

/** Opcodes that let a contract run other code as its own, or vanish. */
const OPCODES = new Map([
  [0xf2, "callcode"],
  [0xf4, "delegatecall"],
  [0xff, "selfdestruct"],
]);

/** Functions that usually come with keys of an owner, a pause or a proxy. */
export const DOORS = [
  "owner()",
  "transferOwnership(address)",
  "pause()",
  "unpause()",
  "upgradeTo(address)",
  "upgradeToAndCall(address,bytes)",
  "grantRole(bytes32,address)",
  "mint(address,uint256)",
] as const;

const SELECTORS = new Map(DOORS.map((name) => [toFunctionSelector(name), name]));

/** The opcodes and functions of the lists above that the code has; empty where it has none. */
export function foundIn(code: Hex): string[] {
  const bytes = withoutMetadata(fromHex(code));
  const found = new Set<string>();
  for (let at = 0; at < bytes.length; at++) {
    const opcode = bytes[at] ?? 0;
    const name = OPCODES.get(opcode);
    if (name) found.add(name);
    if (opcode === PUSH4) found.add(SELECTORS.get(wordAt(bytes, at + 1)) ?? "");
    if (opcode >= PUSH1 && opcode <= PUSH32) at += opcode - PUSH1 + 1;
  }
  found.delete("");
  return [...found];
}

/** Solidity ends code with a CBOR map of what it was made from, and the map's length in two bytes. */
function withoutMetadata(code: Uint8Array): Uint8Array {
  const length = ((code.at(-2) ?? 0) << 8) | (code.at(-1) ?? 0);
  const start = code.length - 2 - length;
  const isMap = start > 0 && ((code[start] ?? 0) & 0xe0) === 0xa0;
  return isMap ? code.subarray(0, start) : code;
}

const wordAt = (bytes: Uint8Array, at: number): Hex =>
  `0x${[...bytes.subarray(at, at + 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
