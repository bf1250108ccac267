/** keccak256, the one hash of the protocol. */
import { createKeccak, type IHasher } from "hash-wasm";
import { keccak256 as slowKeccak } from "viem";

import { toHex, type Bytes, type Hex } from "./encoding.ts";

const DIGEST_BITS = 256;

/** hash-wasm's hasher, some ten times as quick as viem's; null until it is there, and for good where WebAssembly is off. */
let quick: IHasher | null = null;

/** Settles once hashing is as quick as it will be. Nobody needs to wait: until then viem's function does the work. */
export const quickHashing: Promise<void> = createKeccak(DIGEST_BITS).then(
  (hasher) => {
    quick = hasher;
  },
  () => undefined,
);

/** keccak256 of bytes, in hex. */
export function keccak256(data: Uint8Array): Hex {
  return toHex(keccakBytes(data));
}

/** keccak256 of bytes, as 32 bytes. */
export function keccakBytes(data: Uint8Array): Bytes {
  if (!quick) return slowKeccak(data, "bytes") as Bytes;
  return quick.init().update(data).digest("binary") as Bytes;
}
