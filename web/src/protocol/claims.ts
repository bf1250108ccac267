/** Leaves as a claim's calldata packs them (section 11). */
import {
  checksumAddress,
  concatBytes,
  fromHex,
  toHex,
  uintBytes,
  uintOfBytes,
  type Bytes,
  type Hex,
} from "./encoding.ts";
import { EncodingInvalid } from "./errors.ts";
import type { Receipt } from "./messages.ts";
import { spanSetOf, spansHash, type SpanSet } from "./spans.ts";

/** device, leafIndex, period, count, resultsRoot, totalSquaredWU, amount, totalWU, postBy, firstWord, words, v, r, s */
const SIZES = [20, 4, 4, 4, 32, 16, 16, 8, 5, 4, 2, 1, 32, 32] as const;
const WORDS_AT = SIZES.reduce((sum: number, size) => sum + size, 0);
const WORD_BYTES = 32;

/** What a packed leaf holds: its place in the entry, its receipt, the receipt's spans and signature. */
export interface PackedLeaf {
  readonly leafIndex: number;
  readonly receipt: Receipt;
  readonly spans: SpanSet;
  readonly signature: Hex;
}

/** One leaf: what its entry does not say already of its receipt, with its place, its signature and its spans. */
export function packedLeaf({ leafIndex, receipt, spans, signature }: PackedLeaf): Bytes {
  const bytes = fromHex(signature, 65, "signature");
  const values = [
    BigInt(receipt.device),
    leafIndex,
    receipt.period,
    receipt.count,
    BigInt(receipt.resultsRoot),
    receipt.totalSquaredWU,
    receipt.amount,
    receipt.totalWU,
    receipt.postBy,
    spans.firstWord,
    spans.words.length,
    uintOfBytes(bytes.subarray(64)),
    uintOfBytes(bytes.subarray(0, 32)),
    uintOfBytes(bytes.subarray(32, 64)),
  ];
  const head = values.map((value, i) => uintBytes(value, SIZES[i] as number));
  return concatBytes([...head, ...spans.words.map((word) => uintBytes(word, WORD_BYTES))]);
}

/** The leaves of a claim on an entry of that job. EncodingInvalid where the bytes end within a leaf. */
export function unpackedLeaves(jobId: Hex, packed: Uint8Array): PackedLeaf[] {
  const leaves: PackedLeaf[] = [];
  for (let at = 0; at < packed.length;) {
    const rest = packed.subarray(at);
    const size = leafSize(rest);
    leaves.push(unpackedLeaf(jobId, rest.subarray(0, size)));
    at += size;
  }
  return leaves;
}

function leafSize(packed: Uint8Array): number {
  const words = packed.subarray(WORDS_AT - 67, WORDS_AT - 65);
  const size = WORDS_AT + WORD_BYTES * Number(uintOfBytes(words));
  if (packed.length < size) throw new EncodingInvalid(`a leaf of ${size} bytes in ${packed.length} bytes`);
  return size;
}

function unpackedLeaf(jobId: Hex, packed: Uint8Array): PackedLeaf {
  let at = 0;
  const take = (size: number): Uint8Array => packed.subarray(at, (at += size));
  const number = (size: number): number => Number(uintOfBytes(take(size)));
  const device = checksumAddress(toHex(take(20)));
  const leafIndex = number(4);
  const [period, count] = [number(4), number(4)];
  const resultsRoot = toHex(take(32));
  const [totalSquaredWU, amount, totalWU] = [uintOfBytes(take(16)), uintOfBytes(take(16)), uintOfBytes(take(8))];
  const [postBy, firstWord, wordCount] = [number(5), number(4), number(2)];
  const v = take(1);
  const signature = toHex(concatBytes([take(64), v]));
  const spans = spanSetOf(
    firstWord,
    Array.from({ length: wordCount }, () => uintOfBytes(take(WORD_BYTES))),
  );
  const sums = { count, totalWU, totalSquaredWU, amount };
  const receipt = { jobId, device, period, spansHash: spansHash(spans), resultsRoot, ...sums, postBy };
  return { leafIndex, receipt, spans, signature };
}
