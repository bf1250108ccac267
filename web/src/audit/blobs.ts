import type { Hex } from "../protocol";
import type { BlobRole, BlobSource } from "./task";

/** Bytes that a person gave in place of a blob, by what they are for. */
export type GivenFiles = ReadonlyMap<BlobRole, GivenFile>;

/** A file; `mark` is another for every file that is given. */
export type GivenFile = { readonly name: string; readonly bytes: Uint8Array; readonly mark: number };

const TRIES = 3;

/** The store beside this page, with files that stand for blobs of their kind. What it serves is hashed by who asks. */
export function storeWith(given: GivenFiles): BlobSource {
  return async (role, id, limitBytes) => given.get(role)?.bytes ?? (await fetched(id, limitBytes));
}

async function fetched(id: Hex, limitBytes: number): Promise<Uint8Array | null> {
  for (let tries = 0; tries < TRIES; tries++) {
    const data = await once(id, limitBytes);
    if (data !== "again") return data;
  }
  return null;
}

async function once(id: Hex, limitBytes: number): Promise<Uint8Array | null | "again"> {
  try {
    const answer = await fetch(`/v1/blobs/${id}`);
    if (!answer.ok) return answer.status < 500 ? null : "again";
    if (Number(answer.headers.get("content-length") ?? 0) > limitBytes) return null;
    return await read(answer, limitBytes);
  } catch (error) {
    if (error instanceof TypeError) return "again";
    throw error;
  }
}

async function read(answer: Response, limitBytes: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    size += part.value.length;
    if (size > limitBytes) {
      await reader?.cancel();
      return null;
    }
    parts.push(part.value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
