/** The manifest: the blob that lists a job's inputs (section 8). */
import { blobId, checkCanonical, listOf, parseJson, toCanonicalJson } from "./blobs.ts";
import { bigUintFromJson, checkHex, fromHex, toHex, type Bytes, type Hex } from "./encoding.ts";
import { EncodingInvalid, ManifestInvalid } from "./errors.ts";
import { jobIdOf, type Bid } from "./messages.ts";
import { objectOf } from "./structs.ts";
import { inputTree } from "./trees.ts";
import { wordsRoot } from "./words.ts";

export const MANIFEST_BYTES_MAX = 64 * 2 ** 20;
export const INPUTS_MAX = 100_000;
export const INPUT_BYTES_MAX = 16 * 2 ** 20;
/** Inputs of up to this length travel inside the manifest. */
export const INLINE_BYTES_MAX = 1024;

const VERSION = 1;
const NAMES = new Set(["version", "inputs"]);
const INPUT_NAMES = new Set(["length", "root", "hash"]);
const INLINE_NAMES = new Set([...INPUT_NAMES, "bytes"]);

/** One input: its length in bytes, its wordsRoot, its blob id, and its bytes where they are in the manifest. */
export interface InputEntry {
  readonly length: number;
  readonly root: Hex;
  readonly hash: Hex;
  readonly bytes: Bytes | null;
}

/** The inputs of a job, in task order. */
export interface Manifest {
  readonly inputs: readonly InputEntry[];
}

/** The entry of an input; ManifestInvalid above INPUT_BYTES_MAX. */
export function inputEntryOf(data: Uint8Array): InputEntry {
  checkLength(data.length);
  const bytes = data.length <= INLINE_BYTES_MAX ? data.slice() : null;
  return { length: data.length, root: wordsRoot(data), hash: blobId(data), bytes };
}

/** The manifest of these inputs; those above INLINE_BYTES_MAX are uploaded as blobs of their own. */
export function manifestOf(inputs: readonly Uint8Array[]): Manifest {
  checkCount(inputs.length);
  return { inputs: inputs.map(inputEntryOf) };
}

/** inputsRoot of the bid. */
export function manifestInputsRoot(manifest: Manifest): Hex {
  return inputTree(manifest.inputs.map((entry) => [entry.length, entry.root] as const)).root;
}

/** The manifest's bytes, whose blob id is the bid's `manifest`; ManifestInvalid above MANIFEST_BYTES_MAX. */
export function encodeManifest(manifest: Manifest): Bytes {
  const blob = toCanonicalJson(jsonOf(manifest));
  if (blob.length > MANIFEST_BYTES_MAX) {
    throw new ManifestInvalid(`a manifest of ${blob.length} bytes, above ${MANIFEST_BYTES_MAX}`);
  }
  return blob;
}

/** The manifest of its bytes; ManifestInvalid says what is wrong. Inline inputs are checked. */
export function parseManifest(blob: Uint8Array): Manifest {
  try {
    const { value, text } = parseJson(blob, MANIFEST_BYTES_MAX);
    const parts = objectOf(value, NAMES, "the manifest");
    if (parts.version !== VERSION) throw new EncodingInvalid("an unknown version");
    const entries = listOf(parts.inputs, INPUTS_MAX, "inputs");
    checkCount(entries.length);
    const manifest = { inputs: entries.map(entryFromJson) };
    checkCanonical(jsonOf(manifest), text);
    return manifest;
  } catch (error) {
    if (error instanceof EncodingInvalid) throw new ManifestInvalid(error.reason);
    throw error;
  }
}

/** ManifestInvalid unless these are the input's bytes. */
export function checkInput(entry: InputEntry, data: Uint8Array): void {
  if (data.length !== entry.length) throw new ManifestInvalid(`an input of ${data.length} bytes, not ${entry.length}`);
  if (blobId(data) !== entry.hash || wordsRoot(data) !== entry.root) {
    throw new ManifestInvalid("the bytes of an input are not those of its hash and root");
  }
}

/** ManifestInvalid unless the bid is over these inputs and names this manifest. */
export function checkManifest(manifest: Manifest, bid: Bid): void {
  const { inputs } = manifest;
  if (inputs.length !== bid.taskCount) {
    throw new ManifestInvalid(`${inputs.length} inputs for the ${bid.taskCount} tasks of ${jobIdOf(bid)}`);
  }
  if (manifestInputsRoot(manifest) !== bid.inputsRoot)
    throw new ManifestInvalid("the inputs are not those of inputsRoot");
  if (blobId(encodeManifest(manifest)) !== bid.manifest) throw new ManifestInvalid("the bid names another manifest");
}

function checkCount(count: number): void {
  if (count < 1 || count > INPUTS_MAX) throw new ManifestInvalid(`${count} inputs, not 1 to ${INPUTS_MAX}`);
}

function checkLength(length: bigint | number): void {
  if (length > INPUT_BYTES_MAX) throw new ManifestInvalid(`an input of ${length} bytes, above ${INPUT_BYTES_MAX}`);
}

function jsonOf(manifest: Manifest): unknown {
  return { version: VERSION, inputs: manifest.inputs.map(entryToJson) };
}

function entryToJson({ length, root, hash, bytes }: InputEntry): unknown {
  const value = { length: String(length), root, hash };
  return bytes === null ? value : { ...value, bytes: toHex(bytes) };
}

function entryFromJson(value: unknown): InputEntry {
  const isInline = typeof value === "object" && value !== null && "bytes" in value;
  const parts = objectOf(value, isInline ? INLINE_NAMES : INPUT_NAMES, "an input");
  const length = bigUintFromJson(parts.length, 64, "length");
  checkLength(length);
  if (isInline !== length <= INLINE_BYTES_MAX) {
    throw new ManifestInvalid(`an input travels inside the manifest exactly up to ${INLINE_BYTES_MAX} bytes`);
  }
  const bytes = isInline ? fromHex(parts.bytes, Number(length), "bytes") : null;
  const entry = {
    length: Number(length),
    root: checkHex(parts.root, 32, "root"),
    hash: checkHex(parts.hash, 32, "hash"),
    bytes,
  };
  if (bytes) checkInput(entry, bytes);
  return entry;
}
