import { type Address, type Hex, parseSignature, recoverTypedDataAddress } from "viem";

/** An EIP-2612 permit of MultitudeToken; `deadline` in Unix seconds, `value` in token wei. */
export type Permit = {
  chainId: number;
  token: Address;
  owner: Address;
  spender: Address;
  value: bigint;
  nonce: bigint;
  deadline: bigint;
};

/** The permit as typed data: OpenZeppelin's ERC20Permit under the token's own domain. */
export function permitTypedData({ chainId, token, owner, spender, value, nonce, deadline }: Permit) {
  return {
    domain: { name: "Multitude", version: "1", chainId, verifyingContract: token },
    types: {
      Permit: [
        { name: "owner", type: "address" },
        { name: "spender", type: "address" },
        { name: "value", type: "uint256" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
      ],
    },
    primaryType: "Permit",
    message: { owner, spender, value, nonce, deadline },
  } as const;
}

const ECDSA_LENGTH = 2 + 65 * 2;

/** v, r and s as the token takes them, or null where the owner's key did not sign (a contract wallet, a wallet's fault). */
export async function partsOfPermit(permit: Permit, signature: Hex): Promise<{ v: number; r: Hex; s: Hex } | null> {
  if (signature.length !== ECDSA_LENGTH) return null;
  try {
    const signer = await recoverTypedDataAddress({ ...permitTypedData(permit), signature });
    if (signer.toLowerCase() !== permit.owner.toLowerCase()) return null;
    const { r, s, yParity } = parseSignature(signature);
    return { v: 27 + yParity, r, s };
  } catch (error) {
    // Numbers that are on no curve point, or a recovery id that is none.
    if (error instanceof Error) return null;
    throw error;
  }
}
