import { keccak256 as reference } from "viem";
import { expect, test } from "vitest";

import { keccak256, quickHashing } from "./hashing.ts";

const LENGTHS = [0, 1, 31, 32, 64, 135, 136, 137, 271, 272, 273, 4096, 100_000];

test.each(LENGTHS)("keccak256_of_%i_bytes_equals_viems", async (length) => {
  await quickHashing;
  const data = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
  expect(keccak256(data)).toBe(reference(data));
});

test("keccak256_leaves_earlier_digests_alone", async () => {
  await quickHashing;
  const first = keccak256(Uint8Array.of(1));
  keccak256(Uint8Array.of(2));
  expect(first).toBe(reference(Uint8Array.of(1)));
});
