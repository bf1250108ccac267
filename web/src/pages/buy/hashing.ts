import type { Hex, InputEntry } from "../../protocol";

/** What the hashing worker is asked; ids match answers to asks. */
export type HashingAsk =
  { id: number; kind: "entries"; inputs: Uint8Array[] } | { id: number; kind: "manifest"; entries: InputEntry[] };

/** What the hashing worker answers. */
export type HashingAnswer =
  | { id: number; kind: "entries"; entries: { hash: Hex; root: Hex }[] }
  | { id: number; kind: "manifest"; blob: Uint8Array<ArrayBuffer>; blobId: Hex; inputsRoot: Hex }
  | { id: number; kind: "failed"; reason: string };

type Waiting = { resolve: (answer: HashingAnswer) => void; reject: (error: Error) => void };

let worker: Worker | null = null;
let lastId = 0;
const waiting = new Map<number, Waiting>();

function theWorker(): Worker {
  if (worker) return worker;
  worker = new Worker(new URL("./hashing.worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<HashingAnswer>) => {
    const asked = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.kind === "failed") asked?.reject(new Error(data.reason));
    else asked?.resolve(data);
  });
  worker.addEventListener("error", () => {
    for (const { reject } of waiting.values()) reject(new Error("The page's hashing worker failed."));
    waiting.clear();
    worker = null;
  });
  return worker;
}

function ask(message: HashingAsk): Promise<HashingAnswer> {
  return new Promise((resolve, reject) => {
    waiting.set(message.id, { resolve, reject });
    theWorker().postMessage(message);
  });
}

/** Content ids and roots of inputs, off the page's thread. */
export async function hashesOf(inputs: Uint8Array[]): Promise<{ hash: Hex; root: Hex }[]> {
  const answer = await ask({ id: ++lastId, kind: "entries", inputs });
  if (answer.kind !== "entries") throw new Error("The hashing worker answered something else.");
  return answer.entries;
}

/** The manifest over inputs, off the page's thread. */
export async function manifestOver(
  entries: InputEntry[],
): Promise<{ blob: Uint8Array<ArrayBuffer>; blobId: Hex; inputsRoot: Hex }> {
  const answer = await ask({ id: ++lastId, kind: "manifest", entries });
  if (answer.kind !== "manifest") throw new Error("The hashing worker answered something else.");
  return answer;
}
