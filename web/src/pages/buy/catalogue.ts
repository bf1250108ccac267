import type { Hex } from "../../protocol";
import EXAMPLES from "./examples.json";

/** A program of this project's repository: what it does, an example, and what that costs in WU, to the unit. */
export type KnownProgram = {
  name: string;
  purpose: string;
  input: string;
  output: string;
  /** WU of each of the example's tasks; the same on every device. */
  exampleWU: readonly bigint[];
  /** An output in a word or two. */
  read: (output: Uint8Array) => string;
};

const at = (output: Uint8Array) => new DataView(output.buffer, output.byteOffset, output.byteLength);

/** By the Keccak-256 of the module as it was written: a name can be taken by anybody, a hash by one module. */
const KNOWN: Record<Hex, KnownProgram> = {
  "0xc7dd8d77495dc958418084d1c338c7a82f1717d5ec88fbc334822b9cc5a37855": {
    name: "digits",
    purpose: "Reads handwritten digits: a small neural network in integers.",
    input: "64 bytes: an image of 8 x 8 pixels, each 0 (white) to 16 (black).",
    output: "41 bytes: the digit, then ten scores (int32, little-endian).",
    exampleWU: Array.from({ length: 8 }, () => 159_454n),
    read: (output) => (output.length === 41 ? `digit ${output[0]}` : ""),
  },
  "0xfa1dc7e219b19ca04223e529ee830b8c2a66f32a8884ea8ce02c3db480daec8a": {
    name: "sha256-chain",
    purpose: "Hashes a seed with SHA-256, then the hash, n times over.",
    input: "4 bytes n (little-endian), then a seed of up to 1,024 bytes.",
    output: "32 bytes: the last hash.",
    exampleWU: [10_619_478n, 21_228_478n, 31_837_478n, 42_446_478n],
    read: () => "",
  },
  "0xa2642947dd61396f04c7b6d508857e09f876af1dd19a7c54b54904ce95a6fc47": {
    name: "matmul",
    purpose: "Multiplies two n x n matrices of small integers that are drawn from a seed.",
    input: "8 bytes: n (1 to 128) and a seed above 0, both uint32, little-endian.",
    output: "n x n int32, little-endian.",
    exampleWU: [601_824n, 601_824n, 601_824n, 601_824n],
    read: (output) => (output.length % 4 === 0 ? `${output.length / 4} numbers` : ""),
  },
  "0xbc203bd2c3e063b829c7f43d6a8e00f5c8ba325bd3b26b54d6919d099dbf1a76": {
    name: "trainer",
    purpose: "Trains a network on 997 images of digits, and says how many of 300 others it then reads rightly.",
    input:
      "8 bytes: hidden units (1 to 64), learning rate's shift, epochs between halvings, epochs (1 to 64), a seed (uint32).",
    output: "4 bytes: right answers out of 300; then the weights.",
    exampleWU: [28_063_183n, 41_246_917n, 98_059_747n, 183_942_427n],
    read: (output) => (output.length >= 4 ? `${at(output).getUint32(0, true)} of 300 right` : ""),
  },
};

/** What is known of a module, or null. */
export const knownProgram = (originalHash: string): KnownProgram | null => KNOWN[originalHash as Hex] ?? null;

/** Hashes of all known modules by name. */
export const knownHashes = (): [name: string, hash: Hex][] =>
  Object.entries(KNOWN).map(([hash, program]) => [program.name, hash as Hex]);

/** The example inputs of a known program. */
export function exampleInputs(program: KnownProgram): { name: string; data: Uint8Array }[] {
  const found = (EXAMPLES as Record<string, { name: string; hex: string }[]>)[program.name] ?? [];
  return found.map(({ name, hex }) => ({
    name,
    data: Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)),
  }));
}

const ASSURANCES: Record<number, string> = { 1: "provable", 2: "replayable" };

/** "provable" or "replayable": who judges a dispute over a program. */
export const assuranceName = (assurance: number): string => ASSURANCES[assurance] ?? `class ${assurance}`;
