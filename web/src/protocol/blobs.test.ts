/** Manifests, output blobs, epochs' data and claims over the shared vectors. */
import { describe, expect, test } from "vitest";

import { blobId, toCanonicalJson } from "./blobs.ts";
import { packedLeaf, unpackedLeaves } from "./claims.ts";
import { concatBytes, fromHex, toHex, type Address, type Hex } from "./encoding.ts";
import {
  checkEntry,
  checkLeaf,
  encodeEpochData,
  faultsOf,
  leaseSigner,
  numberedLeaves,
  parseEpochData,
  positionsOfLease,
  postedOf,
  wusOf,
  type EntryData,
  type EpochData,
  type LeafData,
} from "./epochData.ts";
import { EncodingInvalid, EpochDataInvalid, ManifestInvalid, OutputBlobInvalid } from "./errors.ts";
import {
  INPUT_BYTES_MAX,
  checkInput,
  checkManifest,
  encodeManifest,
  inputEntryOf,
  manifestInputsRoot,
  manifestOf,
  parseManifest,
  type InputEntry,
} from "./manifest.ts";
import { Bid, Receipt } from "./messages.ts";
import { checkOutputs, decodeOutputs, encodeOutputs, outputsSizeMax } from "./outputBlob.ts";
import { spanSetOf } from "./spans.ts";
import { domainOf } from "./structs.ts";
import { receiptTree, resultOf } from "./trees.ts";
import { flipped, flippedAt, vectors } from "./vectors.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const messages = vectors<{ domain: { chainId: string; verifyingContract: Address }; cases: { message: unknown }[] }>(
  "messages",
);
const DOMAIN = domainOf(Number(messages.domain.chainId), messages.domain.verifyingContract);
const BID = Bid.fromJson(messages.cases[0]?.message);

describe("canonical JSON", () => {
  test("has sorted keys, no spaces, text as it is", () => {
    const text = new TextDecoder().decode(toCanonicalJson({ b: [1, "ä\n"], a: null, A: true }));
    expect(text).toBe('{"A":true,"a":null,"b":[1,"ä\\n"]}');
  });

  test.each([1.5, NaN, 2 ** 53, undefined, "\ud800", { a: [1n] }])("of %s is refused", (value) => {
    expect(() => toCanonicalJson(value)).toThrow(EncodingInvalid);
  });
});

describe("manifests", () => {
  const { cases } = vectors<{ cases: { inputs: Hex[]; blob: string; id: Hex; inputsRoot: Hex }[] }>("manifests");
  const inputs = [bytesOf("abc"), new Uint8Array(), new Uint8Array(33)];
  const text = new TextDecoder().decode(encodeManifest(manifestOf(inputs)));
  const [first] = manifestOf(inputs).inputs as [InputEntry];
  const root = first.root;

  test.each<[string, string | Uint8Array]>([
    ["nothing", ""],
    ["another value", "[]"],
    ["a cut", text.slice(0, -1)],
    ["a space more", `${text} `],
    ["a byte-order mark", `\ufeff${text}`],
    ["bytes that are not UTF-8", bytesOf(text).map((byte, i) => (i === 12 ? 0xff : byte))],
    ["another version", text.replace('"version":1', '"version":2')],
    ["a version 1.0", text.replace('"version":1', '"version":1.0')],
    ["no inputs", '{"inputs":[],"version":1}'],
    ["a field more", text.replace('"version"', '"a":1,"version"')],
    ["another order", text.replace(/^\{(.*),("version":1)\}$/, "{$2,$1}")],
    ["a length as a number", text.replace('"length":"3"', '"length":3')],
    ["another length", text.replace('"length":"3"', '"length":"4"')],
    ["a length past the limit", text.replace('"length":"3"', `"length":"${INPUT_BYTES_MAX + 1}"`)],
    ["a long length inline", text.replace('"length":"3"', '"length":"1025"')],
    ["a flipped root", text.replace(root, flipped(root))],
    ["a flipped hash", text.replace(first.hash, flipped(first.hash))],
    ["flipped bytes", text.replace('"bytes":"0x616263"', '"bytes":"0x616262"')],
    ["hex in capitals", text.replace(root, `0x${root.slice(2).toUpperCase()}`)],
    ["bytes missing", text.replace('"bytes":"0x616263",', "")],
  ])("parseManifest of %s is refused", (_name, blob) => {
    expect(blob).not.toBe(text);
    expect(() => parseManifest(typeof blob === "string" ? bytesOf(blob) : blob)).toThrow(ManifestInvalid);
  });

  test("too many inputs, too long ones and too many bytes are refused", () => {
    expect(() => manifestOf([])).toThrow(ManifestInvalid);
    expect(() => manifestOf(Array<Uint8Array>(100_001).fill(new Uint8Array()))).toThrow(ManifestInvalid);
    expect(() => inputEntryOf(new Uint8Array(INPUT_BYTES_MAX + 1))).toThrow(ManifestInvalid);
    expect(() => parseManifest(new Uint8Array(64 * 2 ** 20 + 1))).toThrow("above");
  });

  test("other bytes and other bids are refused", () => {
    expect(() => {
      checkInput(first, bytesOf("abd"));
    }).toThrow(ManifestInvalid);
    expect(() => {
      checkInput(first, bytesOf("abcd"));
    }).toThrow(ManifestInvalid);
    const manifest = manifestOf(inputs);
    const ids = { inputsRoot: manifestInputsRoot(manifest), manifest: blobId(bytesOf(text)) };
    const bid = { ...BID, taskCount: 3, ...ids };
    checkManifest(manifest, bid);
    for (const change of [
      { taskCount: 2 },
      { inputsRoot: flipped(ids.inputsRoot) },
      { manifest: flipped(ids.manifest) },
    ]) {
      expect(() => {
        checkManifest(manifest, { ...bid, ...change });
      }).toThrow(ManifestInvalid);
    }
  });

  test.each(cases.map((item, i) => [i, item] as const))("case %s is Python's", (_i, item) => {
    const manifest = manifestOf(item.inputs.map((data) => fromHex(data)));
    const blob = encodeManifest(manifest);
    expect(new TextDecoder().decode(blob)).toBe(item.blob);
    expect(blobId(blob)).toBe(item.id);
    expect(manifestInputsRoot(manifest)).toBe(item.inputsRoot);
    expect(parseManifest(blob)).toEqual(manifest);
  });
});

describe("output blobs", () => {
  const { cases } = vectors<{ cases: { outputs: Hex[]; blob: Hex; id: Hex }[] }>("outputs");
  const outputs = [Uint8Array.of(1), new Uint8Array(), bytesOf("abc")];
  const blob = encodeOutputs(outputs);

  test.each<[string, Uint8Array, number, number]>([
    ["nothing", new Uint8Array(), 3, 9],
    ["another format", flippedAt(blob, 0), 3, 9],
    ["another version", flippedAt(blob, 4), 3, 9],
    ["another count", blob, 2, 9],
    ["a cut", blob.slice(0, -1), 3, 9],
    ["a cut within a length", blob.slice(0, 17), 3, 9],
    ["a cut behind the count", blob.slice(0, 9), 3, 9],
    ["a byte more", concatBytes([blob, Uint8Array.of(0)]), 3, 9],
    ["an output too long", blob, 3, 2],
    ["a length past the end", flippedAt(blob, 11), 3, 2 ** 32 - 1],
    ["a count of 2^32 - 1", fromHex("0x4d4e594f01ffffffff"), 2 ** 32 - 1, 9],
  ])("decodeOutputs of %s is refused", (_name, bad, count, limit) => {
    expect(() => decodeOutputs(bad, count, limit)).toThrow(OutputBlobInvalid);
  });

  test("outputs that are not those of their results are refused", () => {
    const results = outputs.map((output, task) => resultOf(task, output, 1n));
    checkOutputs(results, outputs);
    for (const bad of [outputs.slice(1), [...outputs].reverse(), [Uint8Array.of(0), ...outputs.slice(1)]]) {
      expect(() => {
        checkOutputs(results, bad);
      }).toThrow(OutputBlobInvalid);
    }
  });

  test("a view into a larger buffer is read as itself", () => {
    const wide = concatBytes([Uint8Array.of(9, 9, 9), blob]).subarray(3);
    expect(decodeOutputs(wide, 3, 9).map(toHex)).toEqual(outputs.map(toHex));
  });

  test("cases are Python's", () => {
    for (const item of cases) {
      const items = item.outputs.map((output) => fromHex(output));
      expect(toHex(encodeOutputs(items))).toBe(item.blob);
      expect(blobId(fromHex(item.blob))).toBe(item.id);
      expect(decodeOutputs(fromHex(item.blob), items.length, 32).map(toHex)).toEqual(item.outputs);
      expect(fromHex(item.blob).length).toBeLessThanOrEqual(outputsSizeMax(items.length, 32));
    }
  });
});

describe("epoch data", () => {
  interface Posted {
    jobId: Hex;
    subroot: Hex;
    count: string;
    sum: string;
  }
  interface File {
    blob: string;
    dataId: Hex;
    feePpm: string;
    posted: Posted[];
    leaves: { place: [number, number, number]; lessor: Address; positions: number[][] }[];
    notBacked: { name: string; leaf: unknown }[];
    impossible: { name: string; leaf: unknown; faults: string[] }[];
  }
  interface Json {
    entries: { bid: Record<string, unknown>; bidSignature: string; leaves: Record<string, unknown>[] }[];
    [name: string]: unknown;
  }
  const file = vectors<File>("epochs");
  const feePpm = Number(file.feePpm);
  const data = parseEpochData(bytesOf(file.blob));
  const posted = file.posted.map((item) => ({ ...item, count: Number(item.count), sum: BigInt(item.sum) }));
  const [entry] = data.entries as [EntryData];
  const [honest] = entry.leaves as [LeafData];

  function changed(change: (value: Json, leaf: Record<string, unknown[]>) => void): Uint8Array {
    const value = JSON.parse(file.blob) as Json;
    change(value, value.entries[0]?.leaves[0] as Record<string, unknown[]>);
    return toCanonicalJson(value);
  }

  /** The leaf as it stands in a blob, under the first entry's bid. */
  function leafOf(leaf: unknown): LeafData {
    const blob = changed((value) => {
      value.entries.splice(1);
      value.entries.forEach((item) => (item.leaves = [leaf as Record<string, unknown>]));
    });
    return parseEpochData(blob).entries[0]?.leaves[0] as LeafData;
  }

  const zeros = `0x${"00".repeat(32)}`;
  test.each<[string, (value: Json, leaf: Record<string, unknown[]>) => void]>([
    ["no settler", (value) => delete value.settler],
    ["another version", (value) => (value.version = 2)],
    ["a version that is true", (value) => (value.version = true)],
    ["a field more", (value) => (value.extra = 1)],
    ["an address without its checksum", (value) => (value.settler = String(value.settler).toLowerCase())],
    ["a short settler", (value) => (value.settler = "0x00")],
    ["entries that are no list", (value) => (value.entries = {} as Json["entries"])],
    ["no entries", (value) => (value.entries = [])],
    ["an entry that is a number", (value) => value.entries.push(1 as unknown as Json["entries"][0])],
    ["a job twice", (value) => (value.entries = [...value.entries, ...value.entries])],
    ["an entry without leaves", (value) => value.entries.forEach((item) => (item.leaves = []))],
    [
      "129 leaves",
      (value, leaf) => value.entries.forEach((item) => (item.leaves = Array(65).fill(leaf) as typeof item.leaves)),
    ],
    ["a number for a decimal string", (value) => value.entries.forEach((item) => (item.bid.budget = 5))],
    ["a signature that is no hex", (value) => value.entries.forEach((item) => (item.bidSignature = "0xzz"))],
    ["a leaf without outputs", (_, leaf) => delete leaf.outputs],
    ["a short signature", (_, leaf) => (leaf.signature = "0x00" as unknown as [])],
    ["no words", (_, leaf) => (leaf.words = [])],
    ["a zero word", (_, leaf) => (leaf.words = [zeros])],
    ["a short word", (_, leaf) => (leaf.words = ["0x01"])],
    ["firstWord as text", (_, leaf) => (leaf.firstWord = "0" as unknown as [])],
    ["a result of four fields", (_, leaf) => leaf.results?.push([1, "1", zeros, "1"])],
    ["WU as a number", (_, leaf) => leaf.results?.push([1, "1", zeros, 1, 0])],
    ["a status past uint8", (_, leaf) => leaf.results?.push([1, "1", zeros, "1", 256])],
    ["a result of six fields", (_, leaf) => leaf.results?.push([1, "1", zeros, "1", 0, 0])],
    ["a lease without fields", (_, leaf) => leaf.leases?.push({})],
    ["an output that is no id", (_, leaf) => leaf.outputs?.push("0x")],
  ])("parseEpochData of %s is refused", (_name, change) => {
    expect(() => parseEpochData(changed(change))).toThrow(EpochDataInvalid);
  });

  test.each([
    ["nothing", ""],
    ["a cut", file.blob.slice(0, -1)],
    ["a space more", `${file.blob} `],
    ["hex in capitals", file.blob.replace(honest.outputs[0] as string, (id) => `0x${id.slice(2).toUpperCase()}`)],
    ["deep nesting", "[".repeat(200_000)],
  ])("parseEpochData of %s is refused", (_name, text) => {
    expect(() => parseEpochData(bytesOf(text))).toThrow(EpochDataInvalid);
  });

  test("a blob past its limit is refused", () => {
    expect(() => parseEpochData(new Uint8Array(64 * 2 ** 20 + 1))).toThrow(EpochDataInvalid);
  });

  test.each(file.notBacked.map(({ name, leaf }) => [name, leaf] as const))(
    "a leaf with %s is not backed",
    (_name, leaf) => {
      expect(() => {
        checkLeaf(entry.bid, leafOf(leaf), DOMAIN);
      }).toThrow(EpochDataInvalid);
    },
  );

  test.each(file.impossible.map((item) => [item.name, item] as const))(
    "%s is backed and has Python's faults",
    (_name, item) => {
      const leaf = leafOf(item.leaf);
      checkLeaf(entry.bid, leaf, DOMAIN);
      expect([...faultsOf(leaf, entry.bid).keys()].map(String)).toEqual(item.faults);
    },
  );

  test("an entry that was not posted is refused", () => {
    const [first] = posted as [(typeof posted)[0]];
    const changes = [
      { jobId: flipped(first.jobId) },
      { subroot: flipped(first.subroot) },
      { count: 3 },
      { sum: first.sum + 1n },
    ];
    for (const change of changes) {
      expect(() => {
        checkEntry(entry, feePpm, { ...first, ...change });
      }).toThrow(EpochDataInvalid);
    }
    expect(() => {
      checkEntry(entry, feePpm + 1, first);
    }).toThrow(EpochDataInvalid);
  });

  test("a lease that the leaf has not is refused", () => {
    expect(() => positionsOfLease(honest, 2, entry.bid)).toThrow(EpochDataInvalid);
    expect(() => leaseSigner({ ...honest, leases: [] }, DOMAIN)).toThrow(EpochDataInvalid);
  });

  test("the blob goes there and back, with its id", () => {
    expect(blobId(bytesOf(file.blob))).toBe(file.dataId);
    expect(new TextDecoder().decode(encodeEpochData(data))).toBe(file.blob);
    expect(() => encodeEpochData({ ...data, entries: [] } satisfies EpochData)).toThrow(EpochDataInvalid);
  });

  test("entries are those that Python posts", () => {
    expect(data.entries.map((item) => postedOf(item, feePpm))).toEqual(posted);
    posted.forEach((item, i) => {
      checkEntry(data.entries[i] as EntryData, feePpm, item);
    });
  });

  test("leaves are backed, and have Python's numbers, lessors and positions", () => {
    const found = numberedLeaves(data).map(({ number, entryIndex, leafIndex, entry: { bid }, leaf }) => {
      checkLeaf(bid, leaf, DOMAIN);
      expect(faultsOf(leaf, bid).size).toBe(0);
      expect(wusOf(leaf).reduce((sum, wu) => sum + wu)).toBe(leaf.receipt.totalWU);
      return {
        place: [number, entryIndex, leafIndex],
        lessor: leaseSigner(leaf, DOMAIN),
        positions: leaf.leases.map((_, i) => positionsOfLease(leaf, i, bid)),
      };
    });
    expect(found).toEqual(file.leaves);
  });
});

describe("claims", () => {
  interface File {
    leaves: { receipt: unknown; firstWord: string; words: Hex[]; signature: Hex; packed: Hex }[];
    root: Hex;
    proofs: { indices: number[]; siblings: Hex[]; sums: string[][] }[];
  }
  const { leaves, root, proofs } = vectors<File>("claims");
  const unpacked = leaves.map(({ receipt, firstWord, words, signature }, leafIndex) => ({
    leafIndex,
    receipt: Receipt.fromJson(receipt),
    spans: spanSetOf(Number(firstWord), words.map(BigInt)),
    signature,
  }));
  const packed = concatBytes(leaves.map((leaf) => fromHex(leaf.packed)));
  const [first] = unpacked as [(typeof unpacked)[0]];
  const jobId = first.receipt.jobId;

  test("bytes that end within a leaf, and a signature without v, are refused", () => {
    for (const cut of [1, 33, 150]) expect(() => unpackedLeaves(jobId, packed.slice(0, -cut))).toThrow(EncodingInvalid);
    expect(() => packedLeaf({ ...first, signature: first.signature.slice(0, -2) as Hex })).toThrow(EncodingInvalid);
    expect(() => packedLeaf({ ...first, leafIndex: 2 ** 32 })).toThrow(EncodingInvalid);
  });

  test("leaves are packed as in Python, and unpacked again", () => {
    expect(unpacked.map((leaf) => toHex(packedLeaf(leaf)))).toEqual(leaves.map((leaf) => leaf.packed));
    expect(unpackedLeaves(jobId, packed)).toEqual(unpacked);
  });

  test("shared proofs are Python's", () => {
    const amounts = unpacked.map(({ receipt }) => receipt);
    const tree = receiptTree(
      amounts.map(
        (receipt) =>
          [
            receipt,
            receipt.amount + (receipt.amount * 20_000n) / 1_000_000n + (receipt.amount * 100_000n) / 2_000_000n,
          ] as const,
      ),
    );
    expect(tree.root).toBe(root);
    for (const { indices, siblings, sums } of proofs) {
      expect(tree.sharedProof(indices)).toEqual(
        siblings.map((hash, i) => ({ hash, sums: (sums[i] ?? []).map(BigInt) })),
      );
    }
  });
});
