/** The kind-4 tree over data, zero-padded to whole 32-byte words, at least one (section 3). */
import { toHex, type Bytes, type Hex } from "./encoding.ts";
import { keccakBytes } from "./hashing.ts";
import { Kind, Tree, leafHash } from "./merkle.ts";

const WORD_BYTES = 32;

/** wordsRoot of data. */
export function wordsRoot(data: Uint8Array): Hex {
  let level = wordLeaves(data);
  let padding: Bytes = new Uint8Array(WORD_BYTES);
  while (level.length > WORD_BYTES) {
    level = parents(level, padding);
    padding = nodeHash(padding, padding);
  }
  return toHex(level);
}

/** wordsRoot of no bytes. */
export const EMPTY_ROOT = wordsRoot(new Uint8Array());

/** The tree of data, with proofs; for a root alone `wordsRoot` is faster. */
export function wordTree(data: Uint8Array): Tree {
  const padded = new Uint8Array(WORD_BYTES * wordCount(data));
  padded.set(data);
  const leaves = Array.from({ length: wordCount(data) }, (_, i) =>
    padded.subarray(WORD_BYTES * i, WORD_BYTES * (i + 1)),
  );
  return new Tree(
    Kind.WORD,
    leaves.map((word) => ({ hash: leafHash(Kind.WORD, word), sums: [] })),
  );
}

function wordCount(data: Uint8Array): number {
  return Math.max(1, Math.ceil(data.length / WORD_BYTES));
}

function wordLeaves(data: Uint8Array): Bytes {
  const count = wordCount(data);
  const hashes = new Uint8Array(WORD_BYTES * count);
  const tagged = new Uint8Array(2 + WORD_BYTES);
  tagged[1] = Kind.WORD;
  for (let i = 0; i < count; i++) {
    const word = data.subarray(WORD_BYTES * i, WORD_BYTES * (i + 1));
    if (word.length < WORD_BYTES) tagged.fill(0, 2);
    tagged.set(word, 2);
    hashes.set(keccakBytes(tagged), WORD_BYTES * i);
  }
  return hashes;
}

function nodeHash(left: Uint8Array, right: Uint8Array): Bytes {
  const tagged = new Uint8Array(2 + 2 * WORD_BYTES);
  tagged.set([1, Kind.WORD]);
  tagged.set(left, 2);
  tagged.set(right, 2 + WORD_BYTES);
  return keccakBytes(tagged);
}

function parents(level: Bytes, padding: Bytes): Bytes {
  const count = level.length / WORD_BYTES;
  const above = new Uint8Array(WORD_BYTES * Math.ceil(count / 2));
  for (let i = 0; i < count; i += 2) {
    const left = level.subarray(WORD_BYTES * i, WORD_BYTES * (i + 1));
    const right = i + 1 < count ? level.subarray(WORD_BYTES * (i + 1), WORD_BYTES * (i + 2)) : padding;
    above.set(nodeHash(left, right), WORD_BYTES * (i / 2));
  }
  return above;
}
