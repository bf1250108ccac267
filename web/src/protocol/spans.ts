/** Sets of spans as bitmap words, their hash, and the tasks that they cover (section 4). */
import { UINT32_MAX, checkBigUint, checkUint, wordsOf, type Hex } from "./encoding.ts";
import { SpansInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";

/** Words of one set, so that two spans far apart cannot ask for gigabytes. */
export const SPAN_WORDS_MAX = 1024;

const WORD_SPANS = 256;

/** A set of at least one span: bit b of words[i] is span (firstWord + i) * 256 + b; first and last word not zero. */
export interface SpanSet {
  readonly firstWord: number;
  readonly words: readonly bigint[];
}

/** The set of its words; SpansInvalid if they are not in canonical form. */
export function spanSetOf(firstWord: number, words: readonly bigint[]): SpanSet {
  if (!words.length || words[0] === 0n || words[words.length - 1] === 0n) {
    throw new SpansInvalid("the first and the last word of a set of spans are not zero");
  }
  if (words.length > SPAN_WORDS_MAX) throw new SpansInvalid(`${words.length} words of spans, above ${SPAN_WORDS_MAX}`);
  checkUint(firstWord, 32, "firstWord");
  words.forEach((word) => checkBigUint(word, 256, "word of spans"));
  if ((firstWord + words.length) * WORD_SPANS - 1 > UINT32_MAX) throw new SpansInvalid("spans past uint32");
  return { firstWord, words };
}

/** The set of these span numbers. SpansInvalid if there are none, one twice, or one past uint32. */
export function spanSet(spans: Iterable<number>): SpanSet {
  const seen = new Set<number>();
  for (const span of spans) {
    if (seen.has(span) || !Number.isSafeInteger(span) || span < 0 || span > UINT32_MAX) {
      throw new SpansInvalid(`span ${span} is repeated or not a uint32`);
    }
    seen.add(span);
  }
  if (!seen.size) throw new SpansInvalid("no spans");
  const indices = [...seen].map((span) => Math.floor(span / WORD_SPANS));
  const first = indices.reduce((least, index) => Math.min(least, index));
  const last = indices.reduce((most, index) => Math.max(most, index));
  if (last - first >= SPAN_WORDS_MAX) throw new SpansInvalid("spans too far apart");
  const words = Array<bigint>(last - first + 1).fill(0n);
  for (const span of seen) {
    const index = Math.floor(span / WORD_SPANS) - first;
    words[index] = (words[index] ?? 0n) | (1n << BigInt(span % WORD_SPANS));
  }
  return spanSetOf(first, words);
}

/** spansHash = H(abi.encode(uint32 firstWord, uint256[] words)). */
export function spansHash({ firstWord, words }: SpanSet): Hex {
  return keccak256(wordsOf([firstWord, 64, words.length, ...words]));
}

/** The span numbers, rising. */
export function spansOf({ firstWord, words }: SpanSet): number[] {
  return words.flatMap((word, index) => {
    const bits = [...word.toString(2)].reverse();
    return bits.flatMap((bit, b) => (bit === "1" ? [(firstWord + index) * WORD_SPANS + b] : []));
  });
}

/** Whether a span is in the set. */
export function isInSpans({ firstWord, words }: SpanSet, span: number): boolean {
  const word = words[Math.floor(span / WORD_SPANS) - firstWord];
  return word !== undefined && ((word >> BigInt(span % WORD_SPANS)) & 1n) === 1n;
}

/** Spans of a job: ceil(taskCount / spanTasks); SpansInvalid where a span has no tasks. */
export function spanCount(taskCount: number, spanTasks: number): number {
  if (spanTasks < 1) throw new SpansInvalid("spans without tasks");
  return Math.ceil(taskCount / spanTasks);
}

/** The task indices of one span as [first, end); SpansInvalid if the job has no such span. */
export function tasksOfSpan(span: number, taskCount: number, spanTasks: number): [number, number] {
  const count = spanCount(taskCount, spanTasks);
  if (!(span >= 0 && span < count)) throw new SpansInvalid(`span ${span} of ${count}`);
  return [span * spanTasks, Math.min((span + 1) * spanTasks, taskCount)];
}

/** The job's task index of each position of a receipt over these spans, rising; SpansInvalid if one is outside it. */
export function tasksOfSpans(set: SpanSet, taskCount: number, spanTasks: number): number[] {
  return spansOf(set).flatMap((span) => {
    const [first, end] = tasksOfSpan(span, taskCount, spanTasks);
    return Array.from({ length: end - first }, (_, k) => first + k);
  });
}

/** Tasks of these spans; SpansInvalid if a span is outside the job. */
export function taskCountOfSpans(set: SpanSet, taskCount: number, spanTasks: number): number {
  return spansOf(set).reduce((sum, span) => {
    const [first, end] = tasksOfSpan(span, taskCount, spanTasks);
    return sum + end - first;
  }, 0);
}
