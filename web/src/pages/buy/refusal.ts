import { ProblemError } from "../../api/problem";

/** Why admission refused a module: the rule that it breaks, and where. */
export type Refusal = { cause: string; place: string | null; byte: number | null };

const SENTENCE = /^(?<cause>[\s\S]*) \((?:function (?<name>`[^`]*`|\d+), )?byte (?<byte>\d+)\)$/;

/** The lines of a refused module: admission stops at the first fault, and says where it lies. */
export function refusalsOf(error: unknown): Refusal[] {
  if (!(error instanceof ProblemError) || error.code !== "module_refused") return [];
  return error.message.split("\n").map(refusalOf);
}

function refusalOf(line: string): Refusal {
  const found = SENTENCE.exec(line)?.groups;
  if (!found?.cause) return { cause: line, place: null, byte: null };
  const name = found.name?.replaceAll("`", "");
  const place = name === undefined ? null : /^\d+$/.test(name) ? `function ${name}` : name;
  return { cause: found.cause, place, byte: Number(found.byte) };
}

/** What an author can do about a refused rule, where more is to be said than the rule itself. */
const ADVICE: readonly [RegExp, string][] = [
  [
    /^imports are not admitted/,
    "A program has no host: no files, no clock, no C library. Build it for wasm32 without them.",
  ],
  [/^floating point/, "Use integers or fixed point."],
  [/^(SIMD|value type 0x7b)/, "Compile without SIMD, as `multitude build` does."],
  [/^(threads|shared)/, "A program has one thread."],
  [/memory/, 'Link with a declared maximum, at most what the limits below allow, and export the memory as "memory".'],
  [/^(no function|"(alloc|run)")/, "Export alloc(i32) -> i32 and run(ptr, len) -> i64."],
];

/** Advice on a refusal, or null. */
export const adviceOn = (refusal: Refusal): string | null =>
  ADVICE.find(([rule]) => rule.test(refusal.cause))?.[1] ?? null;
