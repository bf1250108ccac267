/** secp256k1 signatures of digests: 65 bytes r, s, v in hex, with v 27 or 28 and a low s (section 2). */
import { secp256k1 } from "@noble/curves/secp256k1";

import { checksumAddress, concatBytes, fromHex, toHex, type Address, type Hex } from "./encoding.ts";
import { SignatureInvalid } from "./errors.ts";
import { keccakBytes } from "./hashing.ts";

const SIGNATURE_BYTES = 65;
const HALF_ORDER = secp256k1.CURVE.n / 2n;

/** The checksummed address of a private key of 32 bytes; SignatureInvalid if it is no key. */
export function addressOf(key: Hex): Address {
  return addressOfPoint(secp256k1.getPublicKey(privateKey(key), false));
}

/** The deterministic signature (RFC 6979) of a digest of 32 bytes by a private key. */
export function signDigest(digest: Hex, key: Hex): Hex {
  const signature = secp256k1.sign(fromHex(digest, 32, "digest"), privateKey(key), { lowS: true });
  return toHex(concatBytes([signature.toCompactRawBytes(), Uint8Array.of(27 + signature.recovery)]));
}

/**
 * The checksummed address that signed the digest.
 *
 * SignatureInvalid for a wrong length, a v that is not 27 or 28, a high s, or numbers off the curve.
 */
export function recoverDigest(digest: Hex, signature: Hex): Address {
  const message = fromHex(digest, 32, "digest");
  const bytes = fromHex(signature, undefined, "signature");
  if (bytes.length !== SIGNATURE_BYTES) throw new SignatureInvalid(`a signature has 65 bytes, not ${bytes.length}`);
  const v = bytes[64];
  if (v !== 27 && v !== 28) throw new SignatureInvalid(`v is 27 or 28, not ${v}`);
  if (BigInt(toHex(bytes.subarray(32, 64))) > HALF_ORDER) throw new SignatureInvalid("s is in the upper half");
  return addressOfPoint(recoverPoint(message, bytes.subarray(0, 64), v - 27));
}

function recoverPoint(message: Uint8Array, compact: Uint8Array, recovery: number): Uint8Array {
  try {
    const signature = secp256k1.Signature.fromCompact(compact).addRecoveryBit(recovery);
    return signature.recoverPublicKey(message).toRawBytes(false);
  } catch (error) {
    throw new SignatureInvalid(`no key gives this signature: ${String(error)}`);
  }
}

function privateKey(key: Hex): Uint8Array {
  const bytes = fromHex(key, undefined, "private key");
  if (!secp256k1.utils.isValidPrivateKey(bytes)) throw new SignatureInvalid("not a private key");
  return bytes;
}

function addressOfPoint(point: Uint8Array): Address {
  return checksumAddress(toHex(keccakBytes(point.subarray(1)).subarray(12)));
}
