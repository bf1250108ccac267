import type { Schema } from "../../api/client";
import { ProblemError } from "../../api/problem";

/** Why a module is not admitted: the rule that it breaks, and where; `advice` at the first fault that it belongs to. */
export type Fault = {
  message: string;
  place: string | null;
  isName: boolean;
  byte: number;
  advice: string | null;
};

/** The faults of a refused module in the order found, and how many more there are. */
export type Refusal = { faults: Fault[]; more: number };

const FAULTS_MAX = 50;
const MESSAGE_MAX = 400;
const NAME_MAX = 100;

/** What the market has against a module, or null where the error is another one or lists nothing. */
export function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof ProblemError) || error.code !== "module_refused") return null;
  const { faults, more } = (error.body ?? {}) as { faults?: unknown; more?: unknown };
  const said = new Set<string>();
  const found = Array.isArray(faults) ? faults.slice(0, FAULTS_MAX).flatMap((told) => faultOf(told, said)) : [];
  return found.length === 0 ? null : { faults: found, more: Number.isSafeInteger(more) ? Number(more) : 0 };
}

/** One fault as the market tells it; names are an author's own words, so nothing of them is trusted. */
function faultOf(told: unknown, said: Set<string>): Fault[] {
  const { cause, function: place, offset, message } = (told ?? {}) as Record<string, unknown>;
  if (typeof cause !== "string" || typeof message !== "string" || !Number.isSafeInteger(offset)) return [];
  const isName = typeof place === "string";
  const named = isName ? plain(place, NAME_MAX) : typeof place === "number" ? `function ${place}` : null;
  const known = ADVICE.get(cause);
  const advice = known === undefined || said.has(known) ? null : known;
  if (advice) said.add(advice);
  return [{ message: plain(message, MESSAGE_MAX), place: named, isName, byte: Number(offset), advice }];
}

/** Text without control signs and marks of direction, and not too long. */
const plain = (text: string, most: number): string => text.slice(0, most).replaceAll(/\p{C}/gu, "?");

const MVP = "Compile for the mvp CPU of wasm32, as `multitude build` does.";
const MEMORY = 'Link with a declared maximum, at most what the limits above allow, and export the memory as "memory".';
const EXPORTS = "Export alloc(i32) -> i32 and run(ptr, len) -> i64.";

/** What an author can do about a fault, where more is to be said than the rule itself. */
const ADVICE = new Map<string, string>(
  Object.entries({
    imports: "A program has no host: no files, no clock, no C library. Build it for wasm32 without them.",
    floating_point: "Use integers or fixed point.",
    simd: "Compile without SIMD, as `multitude build` does.",
    threads: "A program has one thread.",
    memory_kind: "A program has one thread and 32-bit addresses.",
    memory_missing: MEMORY,
    memory_unbounded: MEMORY,
    memory_too_large: MEMORY,
    export_missing: EXPORTS,
    export_type: EXPORTS,
    tail_calls: MVP,
    exceptions: MVP,
    garbage_collection: MVP,
    reference_types: MVP,
    passive_segments: MVP,
  } satisfies Partial<Record<Schema<"ModuleFault">["cause"], string>>),
);
