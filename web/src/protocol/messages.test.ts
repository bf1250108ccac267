import { hashTypedData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { describe, expect, test } from "vitest";

import type { Address, Hex } from "./encoding.ts";
import { EncodingInvalid, SignatureInvalid } from "./errors.ts";
import { Bid, Binding, Lease, Receipt, Session, checkBidRules, jobIdOf } from "./messages.ts";
import { addressOf, recoverDigest, signDigest } from "./signing.ts";
import { domainOf, separatorOf, type MessageType } from "./structs.ts";
import { flipped, vectors } from "./vectors.ts";

interface Case {
  type: keyof typeof TYPES;
  message: Record<string, unknown>;
  structHash: Hex;
  digest: Hex;
  key: Hex;
  signer: Address;
  signature: Hex;
}

interface Vectors {
  domain: { chainId: string; verifyingContract: Address; separator: Hex };
  types: { type: keyof typeof TYPES; typeString: string; typeHash: Hex }[];
  cases: Case[];
}

const TYPES = { Bid, Binding, Lease, Receipt, Session };
const { domain: named, types, cases } = vectors<Vectors>("messages");
const DOMAIN = domainOf(Number(named.chainId), named.verifyingContract);
const first = cases[0] as Case;
const BID = Bid.fromJson(first.message);

function typeOf(name: keyof typeof TYPES): MessageType<object> {
  return TYPES[name] as unknown as MessageType<object>;
}

describe("a bid's JSON is refused", () => {
  const short = Object.fromEntries(Object.entries(first.message).slice(1));
  test.each([
    ["null", null],
    ["a list", [first.message]],
    ["a field missing", short],
    ["a field more", { ...first.message, extra: 1 }],
    ["a number for a decimal string", { ...first.message, budget: 5 }],
    ["a decimal string for a number", { ...first.message, taskCount: "5" }],
    ["a count past uint32", { ...first.message, taskCount: 2 ** 32 }],
    ["a time past uint40", { ...first.message, deadline: 2 ** 40 }],
    ["a price past uint128", { ...first.message, maxPriceWeiPerGWU: String(2n ** 128n) }],
    ["a short salt", { ...first.message, salt: "0x00" }],
    ["a short address", { ...first.message, buyer: "0x00" }],
  ])("%s", (_name, value) => {
    expect(() => Bid.fromJson(value)).toThrow(EncodingInvalid);
  });
});

test.each([
  { taskCount: 0 },
  { spanTasks: 0 },
  { spanTasks: 257 },
  { taskLimitWU: 0n },
  { rateFloorPpm: 9_999 },
  { rateFloorPpm: 1_000_001 },
  { maxFeePpm: 30_001 },
])("checkBidRules refuses what no job can be opened on: %s", (change) => {
  expect(() => {
    checkBidRules({ ...BID, ...change });
  }).toThrow(EncodingInvalid);
});

test("checkBidRules accepts the vectors' bid", () => {
  checkBidRules(BID);
});

describe("a lease's spans are refused", () => {
  const lease = cases.find(({ type }) => type === "Lease") as Case;
  test.each(["1", { 0: 1 }, [2 ** 32], ["1"], [-1]])("%j", (spans) => {
    expect(() => Lease.fromJson({ ...lease.message, spans })).toThrow(EncodingInvalid);
  });
});

describe("signatures are refused", () => {
  const { digest, signature } = first;
  const s = BigInt(`0x${signature.slice(66, 130)}`);
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  test.each<[string, Hex]>([
    ["short", signature.slice(0, -2) as Hex],
    ["long", `${signature}00`],
    ["v 0", `${signature.slice(0, -2)}00` as Hex],
    ["v 29", `${signature.slice(0, -2)}1d` as Hex],
    ["high s", `${signature.slice(0, 66)}${(order - s).toString(16).padStart(64, "0")}1b` as Hex],
    ["zeros", `0x${"00".repeat(64)}1b`],
    ["r past the order", `0x${"ff".repeat(32)}${signature.slice(66)}`],
  ])("%s", (_name, bad) => {
    expect(() => recoverDigest(digest, bad)).toThrow(SignatureInvalid);
  });

  test("keys that are none", () => {
    for (const key of ["0x00", `0x${"00".repeat(32)}`, `0x${"ff".repeat(32)}`] as const) {
      expect(() => addressOf(key)).toThrow(SignatureInvalid);
      expect(() => signDigest(digest, key)).toThrow(SignatureInvalid);
    }
  });

  test("of somebody else, or of another domain or message", () => {
    const other = domainOf(1, named.verifyingContract);
    for (const [message, domain, signer] of [
      [BID, DOMAIN, named.verifyingContract],
      [BID, other, first.signer],
      [{ ...BID, salt: flipped(BID.salt) }, DOMAIN, first.signer],
    ] as const) {
      expect(() => {
        Bid.checkSignature(message, domain, signature, signer);
      }).toThrow(SignatureInvalid);
    }
  });
});

test("the domain and the types are Python's", () => {
  expect(separatorOf(DOMAIN)).toBe(named.separator);
  for (const { type, typeString, typeHash } of types) {
    expect(typeOf(type).typeString).toBe(typeString);
    expect(typeOf(type).typeHash).toBe(typeHash);
  }
});

describe.each(cases.map((item, i) => [`${i} ${item.type}`, item] as const))("message %s", (_name, item) => {
  const type = typeOf(item.type);
  const message = type.fromJson(item.message);

  test("has Python's hash, digest and signature", () => {
    expect(type.structHash(message)).toBe(item.structHash);
    expect(type.digest(message, DOMAIN)).toBe(item.digest);
    expect(type.sign(message, DOMAIN, item.key)).toBe(item.signature);
    expect(addressOf(item.key)).toBe(item.signer);
    expect(type.recover(message, DOMAIN, item.signature)).toBe(item.signer);
    type.checkSignature(message, DOMAIN, item.signature, item.signer.toLowerCase() as Address);
  });

  test("goes to JSON and back", () => {
    expect(type.toJson(message)).toEqual(item.message);
    expect(type.of(message)).toEqual(message);
  });

  test("is signed by a wallet as by its key", async () => {
    const data = type.typedData(message, DOMAIN);
    expect(hashTypedData(data)).toBe(item.digest);
    expect(await privateKeyToAccount(item.key).signTypedData(data)).toBe(item.signature);
  });
});

test("jobIdOf is the bid's struct hash", () => {
  expect(jobIdOf(BID)).toBe(first.structHash);
});
