/** Merkle trees of the four kinds (section 3): nodes, proofs, roots. `trees.ts` and `words.ts` know the leaves. */
import { UINT128_MAX, ZERO_BYTES32, concatBytes, fromHex, writeUint, type Hex } from "./encoding.ts";
import { ProofInvalid, TreeInvalid } from "./errors.ts";
import { keccak256 } from "./hashing.ts";

/** The hash of a missing leaf. */
export const PADDING = ZERO_BYTES32;

/** What a tree is over; its number tags every hash. */
export const Kind = { RESULT: 1, RECEIPT: 2, INPUT: 3, WORD: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** A hash and its sums: [wu, wu^2] in kind 1, [debit] in kind 2, none in kinds 3 and 4. */
export interface Node {
  readonly hash: Hex;
  readonly sums: readonly bigint[];
}

const SUMS: Readonly<Record<Kind, number>> = { 1: 2, 2: 1, 3: 0, 4: 0 };
const SUM_BYTES = 16;

/** ceil(log2 count), the length of every proof; TreeInvalid if count is 0. */
export function depthOf(count: number): number {
  if (count < 1) throw new TreeInvalid("a tree has at least one leaf");
  return count === 1 ? 0 : 32 - Math.clz32(count - 1);
}

/** H(0, kind, abi.encode(fields)). */
export function leafHash(kind: Kind, fields: Uint8Array): Hex {
  return keccak256(concatBytes([Uint8Array.of(0, kind), fields]));
}

/** The parent of two nodes; TreeInvalid if a sum leaves uint128. */
export function combine(kind: Kind, left: Node, right: Node): Node {
  const nodeBytes = 32 + SUM_BYTES * SUMS[kind];
  const packed = new Uint8Array(2 + 2 * nodeBytes);
  const view = new DataView(packed.buffer);
  packed.set([1, kind]);
  [left, right].forEach((node, i) => {
    const at = 2 + i * nodeBytes;
    packed.set(fromHex(node.hash, 32, "hash"), at);
    node.sums.forEach((sum, k) => {
      writeUint(view, at + 32 + SUM_BYTES * k, SUM_BYTES, sum);
    });
  });
  const sums = left.sums.map((sum, k) => sum + (right.sums[k] ?? 0n));
  if (sums.some((sum) => sum > UINT128_MAX)) throw new TreeInvalid("a sum leaves uint128");
  return { hash: keccak256(packed), sums };
}

/** A tree of one kind over its leaves, which keeps all its levels. */
export class Tree {
  readonly kind: Kind;
  readonly count: number;
  /** The root with its sums. */
  readonly top: Node;
  readonly #levels: (readonly Node[])[];
  readonly #padding: Node[];

  /** TreeInvalid if there are no leaves or a sum leaves uint128. */
  constructor(kind: Kind, leaves: readonly Node[]) {
    this.kind = kind;
    this.count = leaves.length;
    let padding: Node = { hash: PADDING, sums: Array<bigint>(SUMS[kind]).fill(0n) };
    let level = leaves;
    this.#levels = [];
    this.#padding = [];
    for (let left = depthOf(leaves.length); left > 0; left--) {
      this.#levels.push(level);
      this.#padding.push(padding);
      level = parents(kind, level, padding);
      padding = combine(kind, padding, padding);
    }
    [this.top] = level as [Node];
  }

  /** The root's hash. */
  get root(): Hex {
    return this.top.hash;
  }

  /** The leaf of that index; TreeInvalid if there is none. */
  leaf(index: number): Node {
    const found = this.count === 1 && index === 0 ? this.top : this.#levels[0]?.[index];
    if (found === undefined) throw new TreeInvalid(`leaf ${index} of ${this.count}`);
    return found;
  }

  /** The siblings of a leaf from the leaf upwards; TreeInvalid if there is no such leaf. */
  proof(index: number): Node[] {
    this.leaf(index);
    return this.#levels.map((nodes, level) => nodes[(index >>> level) ^ 1] ?? (this.#padding[level] as Node));
  }

  /**
   * The nodes that the paths of some leaves need and do not give, level by level, from left to right.
   *
   * Padding is not among them, so all leaves of a tree need none. TreeInvalid if there is no such leaf.
   */
  sharedProof(indices: Iterable<number>): Node[] {
    let known = sorted(indices);
    known.forEach((index) => this.leaf(index));
    const siblings: Node[] = [];
    for (const nodes of this.#levels) {
      const given = new Set(known);
      for (const index of known) {
        const sibling = nodes[index ^ 1];
        if (!given.has(index ^ 1) && sibling !== undefined) siblings.push(sibling);
      }
      known = sorted(known.map((index) => index >>> 1));
    }
    return siblings;
  }
}

/** The root that a proof leads to. ProofInvalid for a wrong length, an index outside the tree, or sums too large. */
export function climb(kind: Kind, leaf: Node, index: number, count: number, proof: readonly Node[]): Node {
  if (!Number.isSafeInteger(index) || index < 0 || index >= count) throw new ProofInvalid(`leaf ${index} of ${count}`);
  if (proof.length !== depthOf(count)) {
    throw new ProofInvalid(`the proof has ${proof.length} entries, not ${depthOf(count)}`);
  }
  [leaf, ...proof].forEach((node) => {
    checkNode(kind, node);
  });
  try {
    return proof.reduce(
      (node, sibling, level) => ((index >>> level) & 1 ? combine(kind, sibling, node) : combine(kind, node, sibling)),
      leaf,
    );
  } catch (error) {
    if (error instanceof TreeInvalid) throw new ProofInvalid(error.reason);
    throw error;
  }
}

/** ProofInvalid unless the leaf stands at that index of the tree with that root and those sums. */
export function verifyProof(
  kind: Kind,
  root: Node,
  leaf: Node,
  index: number,
  count: number,
  proof: readonly Node[],
): void {
  const found = climb(kind, leaf, index, count, proof);
  const sameSums = found.sums.length === root.sums.length && found.sums.every((sum, k) => sum === root.sums[k]);
  if (found.hash !== root.hash.toLowerCase() || !sameSums) throw new ProofInvalid("the proof leads to another root");
}

function parents(kind: Kind, nodes: readonly Node[], padding: Node): Node[] {
  const above: Node[] = [];
  for (let i = 0; i < nodes.length; i += 2) above.push(combine(kind, nodes[i] as Node, nodes[i + 1] ?? padding));
  return above;
}

function sorted(indices: Iterable<number>): number[] {
  return [...new Set(indices)].sort((a, b) => a - b);
}

function checkNode(kind: Kind, node: Node): void {
  if (!/^0x[0-9a-fA-F]{64}$/.test(node.hash) || node.sums.length !== SUMS[kind]) {
    throw new ProofInvalid(`an entry of a kind-${kind} proof has 32 bytes and ${SUMS[kind]} sums`);
  }
  if (node.sums.some((sum) => sum < 0n || sum > UINT128_MAX)) throw new ProofInvalid("a sum is not a uint128");
}
