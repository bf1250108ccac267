/** Verdicts on the leaves of an epoch, their commitments, ballots' votes and state digests (section 7). */
import {
  ZERO_BYTES32,
  addressWord,
  checkBigUint,
  checkHex,
  checksumAddress,
  concatBytes,
  fromHex,
  wordsOf,
  type Address,
  type Hex,
} from "./encoding.ts";
import { VerdictsInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";

export const LEAVES_MAX = 128;
/** The state digest of a leaf with no drawn task. */
export const NOTHING_DRAWN: Hex = `0x${"1".padStart(64, "0")}`;

/** What a seat says of a leaf; a ballot's vote uses the same numbers from 1 on. */
export const Verdict = { NOT_MINE: 0, RIGHT: 1, WRONG: 2, UNAVAILABLE: 3 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** A verifier's verdicts on an epoch: two bits for each leaf, and a digest for each leaf that is its own. */
export interface Verdicts {
  readonly packed: bigint;
  readonly digests: readonly Hex[];
}

/** The verdicts; VerdictsInvalid if digests are missing or left over, or do not go with "right" and only with it. */
export function checkVerdicts(packed: bigint, digests: readonly Hex[]): Verdicts {
  checkBigUint(packed, 256, "verdicts");
  const mine = [...verdictsByLeaf({ packed, digests }).values()];
  if (mine.length !== digests.length) {
    throw new VerdictsInvalid(`${digests.length} digests for ${mine.length} verdicts`);
  }
  const checked = digests.map((digest) => checkHex(digest, 32, "digest"));
  if (mine.some((verdict, i) => (verdict === Verdict.RIGHT) === (checked[i] === ZERO_BYTES32))) {
    throw new VerdictsInvalid("a digest goes with the verdict right, and only with it");
  }
  return { packed, digests: checked };
}

/** The verdicts that are not "not mine", by leaf number, rising. */
export function verdictsByLeaf({ packed }: Verdicts): Map<number, Verdict> {
  const found = new Map<number, Verdict>();
  for (let leaf = 0; leaf < LEAVES_MAX; leaf++) {
    const verdict = Number((packed >> BigInt(2 * leaf)) & 3n) as Verdict;
    if (verdict !== Verdict.NOT_MINE) found.set(leaf, verdict);
  }
  return found;
}

/** The state digest that was given for a leaf, null where the leaf was not this verifier's. */
export function digestOfLeaf(verdicts: Verdicts, leaf: number): Hex | null {
  const place = [...verdictsByLeaf(verdicts).keys()].indexOf(leaf);
  return verdicts.digests[place] ?? null;
}

/** H(encodePacked(digests)). */
export function digestsHash(digests: readonly Hex[]): Hex {
  return keccak256(concatBytes(digests.map((digest) => fromHex(digest, 32, "digest"))));
}

/** What the contract stores of a reveal; its last bit is 1, which a stored commitment's is not. */
export function storedHash({ packed, digests }: Verdicts): Hex {
  const found = BigInt(keccak256(wordsOf([packed, digestsHash(digests)]))) | 1n;
  return `0x${found.toString(16).padStart(64, "0")}`;
}

/** What the verifier commits to before it reveals. */
export function commitmentOf(verdicts: Verdicts, salt: Hex, verifier: Address, epochId: bigint): Hex {
  const word = addressWord(checksumAddress(verifier));
  const epoch = checkBigUint(epochId, 64, "epochId");
  return keccak256(wordsOf([salt, word, epoch, verdicts.packed, digestsHash(verdicts.digests)]));
}

/** What a seat's verifier commits to in a redraw or a panel; VerdictsInvalid for the vote 0. */
export function ballotCommitment(salt: Hex, verifier: Address, subject: Hex, vote: Verdict): Hex {
  if (vote === Verdict.NOT_MINE) throw new VerdictsInvalid("a vote is 1, 2 or 3");
  return keccak256(wordsOf([salt, addressWord(checksumAddress(verifier)), subject, vote]));
}

/** The state digest of a leaf, from those of its drawn tasks in rising order of position. */
export function stateDigest(taskDigests: readonly Hex[]): Hex {
  return taskDigests.length === 0 ? NOTHING_DRAWN : digestsHash(taskDigests);
}
