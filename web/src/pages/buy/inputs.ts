import { bytes as sizeOf } from "../../ui/numbers";
import { type Hex, INLINE_BYTES_MAX, INPUT_BYTES_MAX, INPUTS_MAX, MANIFEST_BYTES_MAX } from "../../protocol";

/** What a person added, not hashed yet. */
export type RawInput = { name: string; data: Uint8Array };

/** One input of the job: a task. `data` is null after a reload of the page; `root` and `hash` as the manifest has them. */
export type TaskInput = { key: number; name: string; length: number; hash: Hex; root: Hex; data: Uint8Array | null };

/** How pasted text becomes inputs. */
export type PasteForm = "text" | "lines" | "hex";

/** Pasted text that no input can be made of; `line` counts from 1. */
export class PasteInvalid extends Error {
  override name = "PasteInvalid";

  constructor(
    readonly line: number,
    reason: string,
  ) {
    super(`Line ${line}: ${reason}`);
  }
}

const NAME_MAX = 80;
/** An input's entry in the manifest without its bytes. */
const ENTRY_BYTES = 240;
const HEX = /^(?:0x)?((?:[0-9a-f]{2})*)$/i;

/** The inputs of a pasted text: one, one for each line, or one for each line of hex. @throws PasteInvalid */
export function pastedInputs(text: string, form: PasteForm): RawInput[] {
  if (form === "text") return text === "" ? [] : [{ name: "pasted text", data: new TextEncoder().encode(text) }];
  const lines = text.split(/\r?\n/);
  return lines.flatMap((line, index) => {
    const content = form === "hex" ? line.replaceAll(/\s/g, "") : line;
    if (content === "") return [];
    const name = `line ${index + 1}`;
    return [{ name, data: form === "hex" ? hexBytes(content, index + 1) : new TextEncoder().encode(content) }];
  });
}

function hexBytes(text: string, line: number): Uint8Array {
  const digits = HEX.exec(text)?.[1];
  if (digits === undefined) throw new PasteInvalid(line, "hex has an even number of digits 0-9 and a-f");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A name that can be shown: no longer than fits, without control characters. */
export const shownName = (name: string): string =>
  name.replaceAll(/\p{Cc}/gu, " ").slice(0, NAME_MAX) || "without a name";

/** Bytes of all inputs. */
export const totalBytes = (inputs: readonly { length: number }[]): number =>
  inputs.reduce((sum, input) => sum + input.length, 0);

/** About what the manifest will have: each input's entry, with its bytes in hex where they travel inside. */
export const manifestEstimate = (inputs: readonly { length: number }[]): number =>
  inputs.reduce((sum, { length }) => sum + ENTRY_BYTES + (length <= INLINE_BYTES_MAX ? 2 * length : 0), 0);

/** Why the raw inputs cannot be added to `count` others; null where they can. */
export function faultOfAdding(added: readonly { name: string; size: number }[], count: number): string | null {
  if (added.length === 0) return "There is nothing in it.";
  if (count + added.length > INPUTS_MAX)
    return `A job has at most ${INPUTS_MAX.toLocaleString("en-US")} inputs; with these it would have ${(count + added.length).toLocaleString("en-US")}.`;
  const large = added.find((input) => input.size > INPUT_BYTES_MAX);
  if (large)
    return `${shownName(large.name)} has ${sizeOf(large.size)}; an input has at most ${sizeOf(INPUT_BYTES_MAX)}.`;
  return null;
}

/** Why the list is no job yet; null where it is. */
export function faultOfList(inputs: readonly { length: number }[]): string | null {
  if (inputs.length === 0) return "Add at least one input.";
  const size = manifestEstimate(inputs);
  if (size > MANIFEST_BYTES_MAX)
    return `The list of these inputs would have ${sizeOf(size)}, above ${sizeOf(MANIFEST_BYTES_MAX)}: split the job.`;
  return null;
}
