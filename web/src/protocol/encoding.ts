/** Hex, words of the ABI, and the checks and JSON forms of the protocol's scalar types (sections 1 and 2). */
import { getAddress, type Address, type Hex } from "viem";

import { EncodingInvalid } from "./errors.ts";

export type { Address, Hex };

/** Bytes of their own, as fetch, Blob and WebAssembly take them. */
export type Bytes = Uint8Array<ArrayBuffer>;

export const ZERO_ADDRESS: Address = `0x${"00".repeat(20)}`;
export const ZERO_BYTES32: Hex = `0x${"00".repeat(32)}`;

export const UINT32_MAX = 2 ** 32 - 1;
export const UINT64_MAX = 2n ** 64n - 1n;
export const UINT128_MAX = 2n ** 128n - 1n;

const HEX_OF_BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const DECIMAL = /^(?:0|[1-9][0-9]{0,77})$/;
const WORD_BYTES = 32;

/** Bytes as 0x-hex in lower case. */
export function toHex(data: Uint8Array): Hex {
  let text = "0x";
  for (const byte of data) text += HEX_OF_BYTE[byte];
  return text as Hex;
}

/** Bytes in base64, as a JSON body carries them. */
export function toBase64(data: Uint8Array): string {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return btoa(text);
}

function nibble(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** Bytes of 0x-hex in any case, of exactly `length` bytes where that is given. EncodingInvalid for anything else. */
export function fromHex(text: unknown, length?: number, name = "value"): Bytes {
  if (typeof text !== "string" || !text.startsWith("0x") || text.length % 2 !== 0) {
    throw new EncodingInvalid(`${name} is not 0x-hex`);
  }
  const size = text.length / 2 - 1;
  if (length !== undefined && size !== length) throw new EncodingInvalid(`${name} has ${size} bytes, not ${length}`);
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const high = nibble(text.charCodeAt(2 * i + 2));
    const low = nibble(text.charCodeAt(2 * i + 3));
    if (high < 0 || low < 0) throw new EncodingInvalid(`${name} is not 0x-hex`);
    data[i] = (high << 4) | low;
  }
  return data;
}

/** The value in lower case if it is 0x-hex of exactly `length` bytes (any number where not given). */
export function checkHex(value: unknown, length?: number, name = "value"): Hex {
  fromHex(value, length, name);
  return (value as string).toLowerCase() as Hex;
}

/** The value if it is an integer of that many bits, at most 53. */
export function checkUint(value: unknown, bits: number, name = "value"): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value >= 2 ** bits) {
    throw new EncodingInvalid(`${name} is not a uint${bits}: ${String(value)}`);
  }
  return value + 0;
}

/** The value if it is a bigint of that many bits. */
export function checkBigUint(value: unknown, bits: number, name = "value"): bigint {
  if (typeof value !== "bigint" || value < 0n || value >> BigInt(bits)) {
    throw new EncodingInvalid(`${name} is not a uint${bits}: ${String(value)}`);
  }
  return value;
}

/** An integer of 64 bits or more of its JSON form, a decimal string. */
export function bigUintFromJson(value: unknown, bits: number, name = "value"): bigint {
  if (typeof value !== "string" || !DECIMAL.test(value)) throw new EncodingInvalid(`${name} is not a decimal string`);
  return checkBigUint(BigInt(value), bits, name);
}

/** An address, in any case, with its EIP-55 checksum; EncodingInvalid for anything but 20 bytes of 0x-hex. */
export function checksumAddress(address: unknown, name = "address"): Address {
  return getAddress(checkHex(address, 20, name));
}

/** Several byte strings as one. */
export function concatBytes(parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Whether two byte strings are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** A big-endian unsigned integer of so many bytes. */
export function uintBytes(value: bigint | number, size: number, name = "value"): Bytes {
  if (BigInt.asUintN(8 * size, BigInt(value)) !== BigInt(value)) {
    throw new EncodingInvalid(`${name} is not a uint${8 * size}: ${value}`);
  }
  return fromHex(`0x${value.toString(16).padStart(2 * size, "0")}`, size, name);
}

/** The unsigned integer of big-endian bytes. */
export function uintOfBytes(data: Uint8Array): bigint {
  return data.length === 0 ? 0n : BigInt(toHex(data));
}

/** abi.encode of static values: unsigned integers, and bytes32 in hex. */
export function wordsOf(values: readonly (bigint | number | Hex)[]): Bytes {
  const words = new Uint8Array(WORD_BYTES * values.length);
  const view = new DataView(words.buffer);
  values.forEach((value, i) => {
    if (typeof value === "string") words.set(fromHex(value, WORD_BYTES, "bytes32"), WORD_BYTES * i);
    else writeUint(view, WORD_BYTES * i, WORD_BYTES, value);
  });
  return words;
}

/** An address as a word of the ABI. */
export function addressWord(address: Address): Hex {
  return `0x${"00".repeat(12)}${address.slice(2).toLowerCase()}`;
}

/** Writes a big-endian unsigned integer of `size` bytes (a multiple of 8). */
export function writeUint(view: DataView, at: number, size: number, value: bigint | number): void {
  let rest = BigInt(value);
  for (let end = at + size - 8; end >= at; end -= 8) {
    view.setBigUint64(end, BigInt.asUintN(64, rest));
    rest >>= 64n;
  }
  if (rest !== 0n) throw new EncodingInvalid(`${value} is not a uint${8 * size}`);
}
