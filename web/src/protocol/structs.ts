/** EIP-712 structs: the domain, and what all signed messages share (sections 1 and 2). */
import { stringToBytes } from "viem";

import {
  addressWord,
  bigUintFromJson,
  checkBigUint,
  checkHex,
  checkUint,
  checksumAddress,
  concatBytes,
  fromHex,
  wordsOf,
  type Address,
  type Bytes,
  type Hex,
} from "./encoding.ts";
import { EncodingInvalid, SignatureInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";
import { recoverDigest, signDigest } from "./signing.ts";

const NAME = "Multitude";
const VERSION = "1";
const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const LIST_MAX = 1_000_000;

/** The EIP-712 domain: the chain and its JobEscrow. */
export interface Domain {
  readonly chainId: number;
  readonly verifyingContract: Address;
}

/** One field of a struct, its width in bits if it is a uint (or a list of them), else 0. */
export interface Field {
  readonly name: string;
  readonly type: string;
  readonly bits: number;
}

/** What a wallet signs (`eth_signTypedData_v4`), as viem and wagmi take it. */
export interface TypedMessage {
  readonly domain: { name: string; version: string; chainId: number; verifyingContract: Address };
  readonly types: Record<string, { name: string; type: string }[]>;
  readonly primaryType: string;
  readonly message: Record<string, unknown>;
}

type Value = number | bigint | Hex | readonly number[];

/** The domain of a chain's JobEscrow. */
export function domainOf(chainId: number, verifyingContract: Address): Domain {
  return { chainId: checkUint(chainId, 53, "chainId"), verifyingContract: checksumAddress(verifyingContract) };
}

/** hashStruct of the domain. */
export function separatorOf({ chainId, verifyingContract }: Domain): Hex {
  const heads = [DOMAIN_TYPE, NAME, VERSION].map(textHash);
  return keccak256(wordsOf([...heads, chainId, addressWord(checksumAddress(verifyingContract))]));
}

/**
 * What the five messages share; `M` is the message's fields under the struct's own names.
 *
 * Every function checks each field: EncodingInvalid says which one is wrong.
 */
export class MessageType<M extends object> {
  readonly name: string;
  readonly typeHash: Hex;
  readonly fields: readonly Field[];

  constructor(readonly typeString: string) {
    this.name = typeString.slice(0, typeString.indexOf("("));
    this.typeHash = textHash(typeString);
    this.fields = fieldsOf(typeString);
  }

  /** The message with each range checked and each address checksummed. */
  of(message: M): M {
    return this.#build(message, checked);
  }

  /** The fields as EIP-712 encodes them: abi.encode, lists replaced by their hash. */
  encode(message: M): Bytes {
    return wordsOf(this.fields.map((field) => wordOf(field, checked(field, Reflect.get(message, field.name)))));
  }

  /** hashStruct of the message: the jobId of a bid, the receiptDigest of a receipt. */
  structHash(message: M): Hex {
    return keccak256(concatBytes([fromHex(this.typeHash), this.encode(message)]));
  }

  /** The typed-data digest: what is signed. */
  digest(message: M, domain: Domain): Hex {
    const prefix = Uint8Array.of(0x19, 0x01);
    return keccak256(concatBytes([prefix, fromHex(separatorOf(domain)), fromHex(this.structHash(message))]));
  }

  /** The 65-byte signature by a private key of 32 bytes. */
  sign(message: M, domain: Domain, key: Hex): Hex {
    return signDigest(this.digest(message, domain), key);
  }

  /** The address that signed this message; SignatureInvalid if the bytes are no signature. */
  recover(message: M, domain: Domain, signature: Hex): Address {
    return recoverDigest(this.digest(message, domain), signature);
  }

  /** SignatureInvalid unless `signer` signed this message. */
  checkSignature(message: M, domain: Domain, signature: Hex, signer: Address): void {
    const found = this.recover(message, domain, signature);
    const wanted = checksumAddress(signer, "signer");
    if (found !== wanted) throw new SignatureInvalid(`signed by ${found}, not by ${wanted}`);
  }

  /** The JSON form of section 2. */
  toJson(message: M): Record<string, unknown> {
    return this.#build<Record<string, unknown>>(message, (field, value) => jsonOf(checked(field, value)));
  }

  /** The message of its JSON form. EncodingInvalid if a field is missing, unknown or out of range. */
  fromJson(value: unknown): M {
    const object = objectOf(value, new Set(this.fields.map((field) => field.name)), this.name);
    return this.#build(object, fromJson);
  }

  /** The message for a wallet to sign and to show. */
  typedData(message: M, domain: Domain): TypedMessage {
    return {
      domain: { name: NAME, version: VERSION, ...domainOf(domain.chainId, domain.verifyingContract) },
      types: { [this.name]: this.fields.map(({ name, type }) => ({ name, type })) },
      primaryType: this.name,
      message: this.#build<Record<string, unknown>>(message, checked),
    };
  }

  #build<T>(source: object, convert: (field: Field, value: unknown) => unknown): T {
    const pairs = this.fields.map((field) => [field.name, convert(field, Reflect.get(source, field.name))] as const);
    return Object.fromEntries(pairs) as T;
  }
}

/** The value if it is an object with exactly these names, else EncodingInvalid. */
export function objectOf(value: unknown, names: ReadonlySet<string>, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EncodingInvalid(`${what} is not an object`);
  }
  const found = Object.keys(value);
  if (found.length !== names.size || !found.every((name) => names.has(name))) {
    throw new EncodingInvalid(`${what} is not an object of ${[...names].join(", ")}`);
  }
  return value as Record<string, unknown>;
}

function fieldsOf(typeString: string): Field[] {
  const inner = typeString.slice(typeString.indexOf("(") + 1, -1);
  return inner.split(",").map((item) => {
    const [type = "", name = ""] = item.split(" ");
    return { name, type, bits: Number(/^uint(\d+)/.exec(type)?.[1] ?? 0) };
  });
}

function textHash(text: string): Hex {
  return keccak256(stringToBytes(text));
}

function checked(field: Field, value: unknown): Value {
  const { name, type, bits } = field;
  if (type === "address") return checksumAddress(value, name);
  if (type === "bytes32") return checkHex(value, 32, name);
  if (!type.endsWith("[]")) return bits < 64 ? checkUint(value, bits, name) : checkBigUint(value, bits, name);
  if (!Array.isArray(value) || value.length > LIST_MAX) throw new EncodingInvalid(`${name} is not a list`);
  return value.map((item) => checkUint(item, bits, name));
}

function fromJson(field: Field, value: unknown): Value {
  const isBig = field.bits >= 64 && !field.type.endsWith("[]");
  return isBig ? bigUintFromJson(value, field.bits, field.name) : checked(field, value);
}

function jsonOf(value: Value): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

function wordOf(field: Field, value: Value): bigint | number | Hex {
  if (typeof value === "object") return keccak256(wordsOf(value));
  return field.type === "address" ? addressWord(value as Address) : value;
}
