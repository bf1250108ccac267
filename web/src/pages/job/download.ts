import type { Hex } from "../../protocol";
import { type BundledTask, resultsJson } from "./bundle";
import { fileNameOf } from "./output";

/** Outputs of this many bytes are written before the page may draw again. */
const BREATHE_BYTES = 8 << 20;

/** One zip of all outputs and results.json. fflate is loaded when it is needed. */
export async function zipOf(job: Hex, program: Hex, taskCount: number, tasks: readonly BundledTask[]): Promise<Blob> {
  const { Zip, ZipDeflate } = await import("fflate");
  const parts: BlobPart[] = [];
  const zip = new Zip((error, chunk) => {
    if (error) throw error;
    parts.push(new Uint8Array(chunk));
  });
  const add = (name: string, data: Uint8Array) => {
    const file = new ZipDeflate(name, { level: 6 });
    zip.add(file);
    file.push(data, true);
  };
  let written = 0;
  for (const { task, output } of tasks) {
    add(`outputs/${fileNameOf(task)}`, output);
    written += output.length + 1_000;
    if (written > BREATHE_BYTES) {
      written = 0;
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  add("results.json", new TextEncoder().encode(resultsJson(job, program, taskCount, tasks)));
  zip.end();
  return new Blob(parts, { type: "application/zip" });
}

/** The name of a job's zip: "results-0a1b2c3d.zip". */
export const zipNameOf = (name: string, job: Hex): string => `${name}-${job.slice(2, 10)}.zip`;

/** Has the browser save a file. */
export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
