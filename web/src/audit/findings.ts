/** What was compared, and what came of it. The meaning is that of `multitude audit`'s exit status 0, 1 and 2. */

/** What a comparison says; one that disagrees outweighs one that cannot tell. */
export type Outcome = "agrees" | "unknown" | "disagrees";

/**
 * One comparison: what it is about, what was compared, both values as text (null where there is none), and in words what
 * they mean. `said` is the chain's, or what was signed; `found` is what the rules or a run give.
 */
export type Finding = {
  readonly topic: string;
  readonly what: string;
  readonly outcome: Outcome;
  readonly said: string | null;
  readonly found: string | null;
  readonly detail: string;
};

/** Words for a person. */
export const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  agrees: "agrees",
  unknown: "cannot tell",
  disagrees: "disagrees",
};

/** Both values, equal or not. Nothing but text, numbers and lists of them is compared. */
export function compare(topic: string, what: string, said: unknown, found: unknown, detail = ""): Finding {
  const [chain, rules] = [shown(said), shown(found)];
  return { topic, what, outcome: chain === rules ? "agrees" : "disagrees", said: chain, found: rules, detail };
}

/** A check that came out as it should. */
export const agrees = (topic: string, what: string, detail = ""): Finding => plain(topic, what, "agrees", detail);

/** A check that did not. */
export const disagrees = (topic: string, what: string, detail: string): Finding =>
  plain(topic, what, "disagrees", detail);

/** A check that could not be made; `said` where one of its values is known. */
export const unknown = (topic: string, what: string, detail: string, said: unknown = null): Finding => ({
  ...plain(topic, what, "unknown", detail),
  said: said === null ? null : shown(said),
});

/** The weightiest outcome. Nothing compared tells nothing. */
export function outcomeOf(findings: readonly Finding[]): Outcome {
  const outcomes = new Set(findings.map(({ outcome }) => outcome));
  if (outcomes.has("disagrees")) return "disagrees";
  return outcomes.has("unknown") || findings.length === 0 ? "unknown" : "agrees";
}

function plain(topic: string, what: string, outcome: Outcome, detail: string): Finding {
  return { topic, what, outcome, said: null, found: null, detail };
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(shown).join(", ");
  if (value === null || value === undefined) return "none";
  return String(value);
}
