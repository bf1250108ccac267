/** Blobs: their ids, and canonical JSON (sections 8 and 9). */
import type { Bytes, Hex } from "./encoding.ts";
import { EncodingInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";

const UNPAIRED_SURROGATE = /\p{Surrogate}/u;

/** The content id by which a blob is fetched: keccak256 of its bytes. */
export function blobId(data: Uint8Array): Hex {
  return keccak256(data);
}

/** The one JSON form of a value of objects, lists, strings and integers: UTF-8, keys sorted, no spaces. */
export function toCanonicalJson(value: unknown): Bytes {
  return new TextEncoder().encode(canonicalText(value));
}

/** The value of JSON with its text. EncodingInvalid if it is longer than the limit, or not JSON in UTF-8. */
export function parseJson(data: Uint8Array, limitBytes: number): { value: unknown; text: string } {
  if (data.length > limitBytes) throw new EncodingInvalid(`${data.length} bytes, above ${limitBytes}`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
    return { value: JSON.parse(text) as unknown, text };
  } catch (error) {
    throw new EncodingInvalid(`not JSON: ${String(error)}`);
  }
}

/** EncodingInvalid unless the text is the canonical JSON of the value that was read from it. */
export function checkCanonical(value: unknown, text: string): void {
  if (canonicalText(value) !== text) throw new EncodingInvalid("JSON that is not canonical");
}

/** The value if it is a list of at most `limit` items, else EncodingInvalid. */
export function listOf(value: unknown, limit: number, what: string): unknown[] {
  if (!Array.isArray(value)) throw new EncodingInvalid(`${what} is not a list`);
  if (value.length > limit) throw new EncodingInvalid(`${value.length} ${what}, above ${limit}`);
  return value;
}

function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${pairs.map(([name, item]) => `${canonicalText(name)}:${canonicalText(item)}`).join(",")}}`;
  }
  if (typeof value === "string" && !UNPAIRED_SURROGATE.test(value)) return JSON.stringify(value);
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  if (typeof value === "boolean" || value === null) return String(value);
  throw new EncodingInvalid("not a value of canonical JSON");
}
