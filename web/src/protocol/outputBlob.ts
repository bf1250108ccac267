/** The outputs of one lease as one blob (section 10). */
import { UINT32_MAX, checkUint, equalBytes, type Bytes } from "./encoding.ts";
import { OutputBlobInvalid } from "./errors.ts";
import type { TaskResult } from "./trees.ts";
import { wordsRoot } from "./words.ts";

/** "MNYO" and the format's version. */
const MAGIC = Uint8Array.of(0x4d, 0x4e, 0x59, 0x4f, 1);
const HEAD_BYTES = MAGIC.length + 4;

/** The blob of a lease's outputs, in the order of its tasks. OutputBlobInvalid past uint32. */
export function encodeOutputs(outputs: readonly Uint8Array[]): Bytes {
  const size = outputs.reduce((sum, output) => sum + 4 + output.length, HEAD_BYTES);
  if (size > UINT32_MAX) throw new OutputBlobInvalid("more than uint32 can count");
  const blob = new Uint8Array(size);
  const view = new DataView(blob.buffer);
  blob.set(MAGIC);
  view.setUint32(MAGIC.length, outputs.length);
  let at = HEAD_BYTES;
  for (const output of outputs) {
    view.setUint32(at, output.length);
    blob.set(output, at + 4);
    at += 4 + output.length;
  }
  return blob;
}

/**
 * The outputs of a lease of `count` tasks, as views of the blob.
 *
 * OutputBlobInvalid if the blob is of another format, has another count, is cut short, goes on past its end, or has an
 * output longer than `maxOutputBytes`.
 */
export function decodeOutputs(blob: Uint8Array, count: number, maxOutputBytes: number): Uint8Array[] {
  checkUint(count, 32, "count");
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const isOurs = blob.length >= HEAD_BYTES && equalBytes(blob.subarray(0, MAGIC.length), MAGIC);
  if (!isOurs || view.getUint32(MAGIC.length) !== count)
    throw new OutputBlobInvalid(`not the outputs of ${count} tasks`);
  const outputs: Uint8Array[] = [];
  let at = HEAD_BYTES;
  for (let k = 0; k < count; k++) {
    if (at + 4 > blob.length) throw new OutputBlobInvalid("the blob is cut short");
    const length = view.getUint32(at);
    if (length > maxOutputBytes) throw new OutputBlobInvalid(`an output of ${length} bytes, above ${maxOutputBytes}`);
    at += 4 + length;
    if (at > blob.length) throw new OutputBlobInvalid("the blob is cut short");
    outputs.push(blob.subarray(at - length, at));
  }
  if (at !== blob.length) throw new OutputBlobInvalid("the blob goes on past its last output");
  return outputs;
}

/** The most bytes that the blob of a lease of `count` tasks can have. */
export function outputsSizeMax(count: number, maxOutputBytes: number): number {
  return HEAD_BYTES + count * (4 + maxOutputBytes);
}

/** OutputBlobInvalid unless each output has the length and root of its result. */
export function checkOutputs(results: readonly TaskResult[], outputs: readonly Uint8Array[]): void {
  if (results.length !== outputs.length) {
    throw new OutputBlobInvalid(`${outputs.length} outputs for ${results.length} results`);
  }
  results.forEach((result, k) => {
    const output = outputs[k] as Uint8Array;
    if (BigInt(output.length) !== result.outputLength || wordsRoot(output) !== result.outputRoot) {
      throw new OutputBlobInvalid(`the output of task ${result.taskIndex} is not that of its result`);
    }
  });
}
