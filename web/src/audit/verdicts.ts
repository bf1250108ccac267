/** A verdict that was said, and the judgement that it is held against. Pure. */
import { type Hex, Verdict, ZERO_BYTES32 } from "../protocol";
import type { Revealed } from "./facts";
import { agrees, compare, type Finding, unknown } from "./findings";

/** Verdicts by number. */
export const VERDICT_WORDS = ["not mine", "right", "wrong", "unavailable"] as const;

/** The verdict on a leaf; `asked` is false where nothing was run on purpose. */
export type Judgement = {
  readonly verdict: Verdict | null;
  readonly digest: Hex;
  readonly why: string;
  readonly asked: boolean;
};

/** A said verdict or vote against the judgement. */
export function verdictFinding(topic: string, said: Verdict, digest: Hex | null, judgement: Judgement): Finding {
  const word = VERDICT_WORDS[said];
  if (said === Verdict.UNAVAILABLE && judgement.verdict !== Verdict.UNAVAILABLE)
    return agrees(topic, "its verdict", "unavailable: it could not have the data then, which nothing shows now");
  if (judgement.verdict === null) return unknown(topic, "its verdict", judgement.why, word);
  if (said !== judgement.verdict || digest === null || said !== Verdict.RIGHT)
    return compare(topic, "its verdict", word, VERDICT_WORDS[judgement.verdict], judgement.why);
  return compare(
    topic,
    "right, with the state digest",
    digest,
    judgement.digest,
    "of the states that a run leaves behind",
  );
}

/** What a reveal says of one leaf, and its digest; nobody has checked that digests fit their verdicts. */
export function verdictOn({ packed, digests }: Revealed, leaf: number): { verdict: Verdict; digest: Hex } {
  const at = (number: number) => Number((packed >> BigInt(2 * number)) & 3n) as Verdict;
  const verdict = at(leaf);
  const below = Array.from({ length: leaf }, (_, number) => at(number)).filter(
    (one) => one !== Verdict.NOT_MINE,
  ).length;
  return { verdict, digest: (verdict === Verdict.NOT_MINE ? undefined : digests[below]) ?? ZERO_BYTES32 };
}
