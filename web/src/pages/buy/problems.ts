import { messageOf, ProblemError } from "../../api/problem";

/** A failed quote for a person: what it means, and what to do. */
export type QuoteProblem = { title: string; text: string };

const TOLD: Record<string, (error: ProblemError) => QuoteProblem> = {
  no_capacity: (error) => ({
    title: "No device can take this work now",
    text: `${liveOf(error)} A device must be bound to an owner, have memory enough for the program and the stake that you ask for. Ask again in a minute, or ask for less stake.`,
  }),
  rate_limited: (error) => ({
    title: "Too many quotes from here",
    text: `Quotes run your inputs, so they are counted. The next one is possible in ${error.retryAfterSeconds ?? 60} seconds.`,
  }),
  quote_failed: (error) => ({
    title: "A sample did not finish",
    text: `${error.message} A quote runs at most 8 inputs for 2 seconds; make the inputs smaller.`,
  }),
  program_refused: () => ({
    title: "The program is not registered yet",
    text: "Its registration is on its way to the chain. That takes some blocks; ask again then.",
  }),
  program_unknown: () => ({
    title: "The market does not know this program",
    text: "Pick another, or upload it again.",
  }),
  manifest_missing: () => ({
    title: "The uploaded inputs are gone",
    text: "The market keeps uploads for a day when no job uses them. Upload them again.",
  }),
  input_missing: () => ({
    title: "An uploaded input is gone",
    text: "The market keeps uploads for a day when no job uses them. Upload them again.",
  }),
  unreachable: () => ({ title: "The market does not answer", text: "Nothing is lost: ask again when it is back." }),
};

function liveOf(error: ProblemError): string {
  const live = (error.body as { live?: unknown } | null)?.live;
  return typeof live === "number" && live > 0
    ? `${live} devices are there, and none of them fits.`
    : "No device is there.";
}

/** What to say of a quote that did not come. */
export function quoteProblem(error: unknown): QuoteProblem {
  const told = error instanceof ProblemError ? TOLD[error.code]?.(error) : undefined;
  return told ?? { title: "There is no quote", text: messageOf(error) };
}

/** True where only uploading again helps. */
export const isUploadGone = (error: unknown): boolean =>
  error instanceof ProblemError && (error.code === "manifest_missing" || error.code === "input_missing");
