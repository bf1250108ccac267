import { describe, expect, test } from "vitest";

import {
  UINT64_MAX,
  bigUintFromJson,
  checkBigUint,
  checkHex,
  checkUint,
  checksumAddress,
  fromHex,
  toHex,
  uintBytes,
  wordsOf,
} from "./encoding.ts";
import { EncodingInvalid, ProtocolError } from "./errors.ts";

describe("refusals", () => {
  test.each([null, 7, "", "0", "00", "0x0", "0xzz", "0x 1", "0X00", "0x00\n", "0x٠٠", "0x:0"])(
    "fromHex of %j",
    (text) => {
      expect(() => fromHex(text)).toThrow(EncodingInvalid);
    },
  );

  test.each(["0x00", `0x${"00".repeat(33)}`])("checkHex of another length", (text) => {
    expect(() => checkHex(text, 32, "root")).toThrow("root has");
  });

  test.each([-1, 1.5, NaN, Infinity, 2 ** 32, "1", 1n, true, null, undefined, 2 ** 53])("checkUint of %s", (value) => {
    expect(() => checkUint(value, 32)).toThrow(EncodingInvalid);
  });

  test.each([-1n, UINT64_MAX + 1n, 1, "1", null])("checkBigUint of %s", (value) => {
    expect(() => checkBigUint(value, 64)).toThrow(EncodingInvalid);
  });

  test.each(["", "01", "-1", "+1", "1.0", "0x1", " 1", "1\n", "٣", "9".repeat(79), 5, null])(
    "bigUintFromJson of %j",
    (value) => {
      expect(() => bigUintFromJson(value, 256)).toThrow(EncodingInvalid);
    },
  );

  test.each(["0x", `0x${"g0".repeat(20)}`, `0x${"00".repeat(19)}`, 5])("checksumAddress of %s", (value) => {
    expect(() => checksumAddress(value)).toThrow(ProtocolError);
  });

  test("words and bytes that a number does not fit", () => {
    expect(() => wordsOf([2n ** 256n])).toThrow(EncodingInvalid);
    expect(() => wordsOf([-1])).toThrow(EncodingInvalid);
    expect(() => wordsOf(["0x00"])).toThrow(EncodingInvalid);
    expect(() => uintBytes(256, 1)).toThrow(EncodingInvalid);
    expect(() => uintBytes(-1n, 1)).toThrow(EncodingInvalid);
  });
});

test("hex is read in any case and written in lower case", () => {
  expect(toHex(fromHex("0x00FFab"))).toBe("0x00ffab");
  expect(checkHex("0xAB")).toBe("0xab");
  expect(fromHex("0x")).toHaveLength(0);
});

test("the greatest number of a type fits it", () => {
  expect(checkUint(2 ** 40 - 1, 40)).toBe(2 ** 40 - 1);
  expect(bigUintFromJson("18446744073709551615", 64)).toBe(UINT64_MAX);
  expect(toHex(wordsOf([2n ** 256n - 1n]))).toBe(`0x${"ff".repeat(32)}`);
});

test("checksumAddress takes any case", () => {
  const address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
  expect(checksumAddress(address.toLowerCase())).toBe(address);
  expect(checksumAddress(`0x${address.slice(2).toUpperCase()}`)).toBe(address);
});
