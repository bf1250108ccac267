import type { Hex } from "../../protocol";
import type { Quote } from "./quote";

/** The inputs of a job as the bid names them. */
export type UploadedInputs = { manifest: Hex; inputsRoot: Hex; tasks: number; bytes: number };

/** What the buyer chooses: wei, ppm, seconds from now. `budget` null takes the quote's cap. */
export type Terms = { budget: bigint | null; floorPpm: number; minStake: bigint; deadlineSeconds: number };

/** What the parts of the terms' step show and change. */
export type TermsProps = { quote: Quote; terms: Terms; onTerms: (terms: Partial<Terms>) => void };

export const DEFAULT_TERMS: Terms = { budget: null, floorPpm: 10_000, minStake: 0n, deadlineSeconds: 3_600 };

/** Choices of how long a job may take, in seconds. */
export const DEADLINES: readonly [seconds: number, name: string][] = [
  [1_800, "30 minutes"],
  [3_600, "1 hour"],
  [6 * 3_600, "6 hours"],
  [86_400, "1 day"],
  [3 * 86_400, "3 days"],
  [7 * 86_400, "1 week"],
];

/** True where results are not to be expected before the deadline. Only work must end before it, not checking. */
export const isTooSoon = (quote: Quote, deadlineSeconds: number): boolean => deadlineSeconds < quote.expectedSeconds;
