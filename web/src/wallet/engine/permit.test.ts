import { hashTypedData } from "viem";
import { expect, test } from "vitest";
import { partsOfPermit, type Permit, permitTypedData } from "./permit";

/** Made with Python's eth-account (key 0x11...11). */
const PERMIT: Permit = {
  chainId: 31337,
  token: "0xabababababababababababababababababababab",
  owner: "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",
  spender: "0xcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
  value: 2n ** 128n - 1n,
  nonce: 7n,
  deadline: 1893456000n,
};
const DIGEST = "0x5dc46e59bf1caacedbbe3063b06babb0f9d5ba760b1f0d1b70661a0a1a2d0f05";
const R = "e027cb0628d6db5b4d609c23f0ca3f6d98c25dab04ec8e4a6ab3cbd97174090f";
const S = "470857b0e8802513a8a3a7e4c27dcd0431e9faefb04df954902bf3b9202096ee";

test("permitTypedData has the digest that eth-account signs", () => {
  expect(hashTypedData(permitTypedData(PERMIT))).toBe(DIGEST);
});

test("partsOfPermit of the owner's signature are v, r and s, whichever way v is written", async () => {
  const parts = { v: 28, r: `0x${R}`, s: `0x${S}` };
  expect(await partsOfPermit(PERMIT, `0x${R}${S}1c`)).toEqual(parts);
  expect(await partsOfPermit(PERMIT, `0x${R}${S}01`)).toEqual(parts);
});

test("partsOfPermit of anything else are none", async () => {
  expect(await partsOfPermit({ ...PERMIT, nonce: 8n }, `0x${R}${S}1c`)).toBeNull();
  expect(await partsOfPermit(PERMIT, `0x${R}${S}1b`)).toBeNull();
  expect(await partsOfPermit(PERMIT, `0x${R}${S}`)).toBeNull();
  expect(await partsOfPermit(PERMIT, `0x${"00".repeat(65)}`)).toBeNull();
  expect(await partsOfPermit(PERMIT, `0x${R}${S}1c${"00".repeat(32)}`)).toBeNull();
});
