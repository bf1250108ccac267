import { describe, expect, test } from "vitest";

import { concatBytes, fromHex, type Hex } from "./encoding.ts";
import { EncodingInvalid, ProofInvalid, TreeInvalid } from "./errors.ts";
import { Kind, Tree, depthOf, verifyProof, type Node } from "./merkle.ts";
import { Bid, Receipt } from "./messages.ts";
import { debitOf } from "./money.ts";
import {
  faultOf,
  inputTree,
  inputsRoot,
  receiptTree,
  resultFromRow,
  resultOf,
  resultToRow,
  resultTree,
} from "./trees.ts";
import { flipped, vectors } from "./vectors.ts";
import { EMPTY_ROOT, wordTree, wordsRoot } from "./words.ts";

interface Case {
  kind: string;
  count: string;
  leaves: { fields: string[]; hash: Hex; sums: string[] }[];
  root: Hex;
  sums: string[];
  proofs: { index: string; siblings: Hex[]; sums: string[][] }[];
}

const { cases } = vectors<{ cases: Case[] }>("trees");
const words = vectors<{ cases: { data: Hex; root: Hex }[]; zeros: { length: string; root: Hex }[] }>("words");
const RECEIPT_FIELDS = Receipt.fields.map(({ name, type }) => [name, /^uint(?:24|32|40)$/.test(type)] as const);

function treeOf({ kind, leaves }: Case): Tree {
  const rows = leaves.map(({ fields }) => fields);
  if (kind === "1")
    return resultTree(
      rows.map(([task, length, root, wu, status]) => resultFromRow([Number(task), length, root, wu, Number(status)])),
    );
  if (kind === "2")
    return receiptTree(
      rows.map((row) => {
        const receipt = Receipt.fromJson(
          Object.fromEntries(RECEIPT_FIELDS.map(([name, isSmall], i) => [name, isSmall ? Number(row[i]) : row[i]])),
        );
        return [receipt, debitOf(receipt.amount, 20_000, 100_000)] as const;
      }),
    );
  if (kind === "3") return inputTree(rows.map(([length = "", root]) => [BigInt(length), root as Hex] as const));
  return wordTree(concatBytes(rows.map(([word]) => fromHex(word))));
}

function nodesOf({ siblings, sums }: Case["proofs"][number]): Node[] {
  return siblings.map((hash, i) => ({ hash, sums: (sums[i] ?? []).map(BigInt) }));
}

const bid = {
  ...Bid.fromJson(vectors<{ cases: { message: unknown }[] }>("messages").cases[0]?.message),
  taskLimitWU: 9n,
};
const tree = resultTree([1n, 2n, 3n, 4n, 5n].map((wu, task) => resultOf(task, Uint8Array.of(task), wu)));

describe("refusals", () => {
  test("a tree without leaves, or a leaf outside", () => {
    expect(() => new Tree(Kind.WORD, [])).toThrow(TreeInvalid);
    expect(() => depthOf(0)).toThrow(TreeInvalid);
    for (const index of [-1, 5, 0.5]) expect(() => tree.proof(index)).toThrow(TreeInvalid);
    expect(() => tree.sharedProof([0, 5])).toThrow(TreeInvalid);
    expect(() => new Tree(Kind.WORD, [{ hash: EMPTY_ROOT, sums: [] }]).leaf(1)).toThrow(TreeInvalid);
  });

  test("sums past uint128, and debits", () => {
    const node = { hash: EMPTY_ROOT, sums: [2n ** 127n] };
    expect(() => new Tree(Kind.RECEIPT, [node, node])).toThrow(TreeInvalid);
    expect(() => resultTree([{ ...resultOf(0, new Uint8Array(), 1n), wu: 2n ** 64n }])).toThrow(EncodingInvalid);
  });

  test.each<[string, (proof: Node[], leaf: Node) => [Node[], Node, number, number]]>([
    ["one entry less", (proof, leaf) => [proof.slice(1), leaf, 3, 5]],
    ["one entry more", (proof, leaf) => [[...proof, leaf], leaf, 3, 5]],
    ["another index", (proof, leaf) => [proof, leaf, 2, 5]],
    ["an index outside", (proof, leaf) => [proof, leaf, 5, 5]],
    ["another count", (proof, leaf) => [proof, leaf, 3, 4]],
    [
      "a flipped sibling",
      ([a, ...rest], leaf) => [[{ ...(a as Node), hash: flipped((a as Node).hash) }, ...rest], leaf, 3, 5],
    ],
    ["a flipped leaf", (proof, leaf) => [proof, { ...leaf, hash: flipped(leaf.hash) }, 3, 5]],
    ["another sum of the leaf", (proof, leaf) => [proof, { ...leaf, sums: [5n, 16n] }, 3, 5]],
    ["another sum of a sibling", ([a, ...rest], leaf) => [[{ ...(a as Node), sums: [3n, 10n] }, ...rest], leaf, 3, 5]],
    ["a sum missing", ([a, ...rest], leaf) => [[{ ...(a as Node), sums: [3n] }, ...rest], leaf, 3, 5]],
    ["a negative sum", ([a, ...rest], leaf) => [[{ ...(a as Node), sums: [-3n, 9n] }, ...rest], leaf, 3, 5]],
    ["a sum past uint128", ([a, ...rest], leaf) => [[{ ...(a as Node), sums: [2n ** 128n, 9n] }, ...rest], leaf, 3, 5]],
    ["a short hash", ([a, ...rest], leaf) => [[{ ...(a as Node), hash: "0x00" }, ...rest], leaf, 3, 5]],
  ])("a proof with %s", (_name, change) => {
    const [proof, leaf, index, count] = change(tree.proof(3), tree.leaf(3));
    expect(() => {
      verifyProof(Kind.RESULT, tree.top, leaf, index, count, proof);
    }).toThrow(ProofInvalid);
  });

  test("a proof under another root or other sums", () => {
    for (const root of [
      { ...tree.top, hash: flipped(tree.root) },
      { ...tree.top, sums: [15n, 56n] },
    ]) {
      expect(() => {
        verifyProof(Kind.RESULT, root, tree.leaf(3), 3, 5, tree.proof(3));
      }).toThrow(ProofInvalid);
    }
  });

  test.each([
    [[0, "1", EMPTY_ROOT, "1"]],
    [[0, 1, EMPTY_ROOT, "1", 0]],
    [[0, "1", EMPTY_ROOT, "1", 256]],
    ["12345"],
    [[]],
  ])("a result's row %j", (row) => {
    expect(() => resultFromRow(row)).toThrow(EncodingInvalid);
  });
});

describe.each(cases.map((item) => [item.kind, item.count, item] as const))(
  "tree of kind %s over %s",
  (kind, count, item) => {
    const found = treeOf(item);

    test("has Python's leaves, root and sums", () => {
      expect(found.count).toBe(Number(count));
      item.leaves.forEach(({ hash, sums }, i) => {
        expect(found.leaf(i)).toEqual({ hash, sums: sums.map(BigInt) });
      });
      expect(found.top).toEqual({ hash: item.root, sums: item.sums.map(BigInt) });
    });

    test("has Python's proofs", () => {
      for (const proof of item.proofs) {
        const index = Number(proof.index);
        expect(found.proof(index)).toEqual(nodesOf(proof));
        verifyProof(Number(kind) as Kind, found.top, found.leaf(index), index, found.count, nodesOf(proof));
      }
    });
  },
);

test("wordsRoot is Python's, and that of the tree", () => {
  for (const { data, root } of words.cases) {
    expect(wordsRoot(fromHex(data))).toBe(root);
    expect(wordTree(fromHex(data)).root).toBe(root);
  }
  for (const { length, root } of words.zeros) expect(wordsRoot(new Uint8Array(Number(length)))).toBe(root);
  expect(EMPTY_ROOT).toBe(words.cases[0]?.root);
});

test("inputsRoot is the root of lengths and wordsRoots", () => {
  const inputs = [Uint8Array.of(1), new Uint8Array()];
  expect(inputsRoot(inputs)).toBe(inputTree(inputs.map((data) => [data.length, wordsRoot(data)] as const)).root);
});

test("a shared proof of all leaves is empty, and of one its proof without padding", () => {
  expect(tree.sharedProof([0, 1, 2, 3, 4])).toEqual([]);
  expect(tree.sharedProof([4])).toEqual([tree.proof(4)[2]]);
  expect(tree.sharedProof([1, 1])).toEqual(tree.proof(1));
});

test("a result's row goes there and back", () => {
  const result = resultOf(7, Uint8Array.of(1, 2), 5n);
  expect(resultFromRow(resultToRow(result))).toEqual(result);
  expect(faultOf(result, 7, bid)).toBeNull();
  expect(faultOf(result, 8, bid)).toContain("stands for task 8");
});

test("a tree of 10,000 results is made in well under a second", () => {
  const { outputRoot } = resultOf(0, new Uint8Array(64), 1n);
  const results = Array.from({ length: 10_000 }, (_, taskIndex) => ({
    ...{ taskIndex, outputLength: 64n, outputRoot, status: 0 },
    wu: BigInt(1 + taskIndex),
  }));
  const start = process.cpuUsage();
  expect(resultTree(results).top.sums).toEqual([50_005_000n, 333_383_335_000n]);
  const { user, system } = process.cpuUsage(start);
  expect((user + system) / 1e6).toBeLessThan(1);
});
