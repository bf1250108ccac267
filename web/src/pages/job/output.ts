import { fromHex, type Hex } from "../../protocol";

/** How an output is shown. */
export type OutputForm = "auto" | "text" | "hex" | "json";

/** A shown output: the form that was taken, and its text, cut to what fits. */
export type Preview = { form: Exclude<OutputForm, "auto">; text: string; isCut: boolean };

const SHOWN_MAX = 240;
const UNPRINTABLE = /[^\P{Cc}\t\n\r]/u;

/** The bytes as text, or null where they are not UTF-8 that can be shown. */
export function textOf(output: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(output);
    return UNPRINTABLE.test(text) ? null : text;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

function jsonOf(text: string | null): string | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

const hexOf = (output: Uint8Array) => Array.from(output, (byte) => byte.toString(16).padStart(2, "0")).join("");

const cut = (text: string) => (text.length > SHOWN_MAX ? text.slice(0, SHOWN_MAX) + "…" : text);

/** What is shown of an output in a form; a form that does not fit the bytes gives hex. */
export function previewOf(output: Uint8Array, form: OutputForm): Preview {
  const head = output.subarray(0, 64 * 1024);
  const text = form === "hex" || output.length === 0 ? null : textOf(head);
  const json = form === "json" || form === "auto" ? jsonOf(output.length > head.length ? null : text) : null;
  const found =
    json !== null
      ? { form: "json" as const, text: json }
      : text !== null && form !== "json"
        ? { form: "text" as const, text }
        : { form: "hex" as const, text: hexOf(output.subarray(0, SHOWN_MAX / 2 + 1)) };
  return { ...found, text: cut(found.text), isCut: found.text.length > SHOWN_MAX || head.length < output.length };
}

/** The bytes of a result's output, or null where it has none. */
export const outputOf = (hex: string | null): Uint8Array | null => (hex === null ? null : fromHex(hex as Hex));

/** Statuses of tasks by number. */
export const STATUS_NAMES: readonly string[] = ["ok", "trap", "WU limit", "output too long"];

/** "000042.bin" */
export const fileNameOf = (task: number): string => `${String(task).padStart(6, "0")}.bin`;
