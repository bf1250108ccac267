/** The shared vectors (tests/vectors/README.md), for the tests beside this file. */
import { readFileSync } from "node:fs";

/** A file of the shared vectors; its numbers are decimal strings. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

/** The same hex with one bit of its last byte changed. */
export function flipped<H extends string>(hex: H): H {
  const last = parseInt(hex.slice(-2), 16) ^ 1;
  return `${hex.slice(0, -2)}${last.toString(16).padStart(2, "0")}` as H;
}

/** The same bytes with one bit of one byte changed. */
export function flippedAt(data: Uint8Array, index: number): Uint8Array {
  return data.map((byte, i) => (i === index ? byte ^ 1 : byte));
}
