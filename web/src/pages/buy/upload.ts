import { api, ok } from "../../api/client";
import { ProblemError } from "../../api/problem";
import type { InputEntry } from "../../protocol";
import { INLINE_BYTES_MAX } from "../../protocol";
import type { UploadedInputs } from "./terms";
import { manifestOver } from "./hashing";
import { type TaskInput, totalBytes } from "./inputs";

/** How far an upload is: blobs sent, of how many. */
export type UploadProgress = { sent: number; of: number };

const UPLOADS_AT_ONCE = 4;

/** An upload that is larger than the market takes from somebody who has not signed in. */
export const needsSignIn = (error: unknown): boolean =>
  error instanceof ProblemError && (error.status === 413 || error.status === 401);

/**
 * Sends bytes under their id.
 * @throws ProblemError where the market refuses them or does not answer.
 */
export async function putBlob(id: string, data: Uint8Array<ArrayBuffer>, headers: HeadersInit): Promise<void> {
  const sent = fetch(`/v1/blobs/${id}`, {
    method: "PUT",
    body: data,
    headers: { ...headers, "Content-Type": "application/octet-stream" },
  });
  await ok(
    sent.then(async (response) => ({
      data: true,
      error: response.ok ? null : await response.json().catch(() => null),
      response,
    })),
  );
}

/** True where the market has the blob already. */
async function isThere(id: string): Promise<boolean> {
  const { response } = await api.HEAD("/v1/blobs/{blob}", { params: { path: { blob: id } } });
  return response.ok;
}

/** Uploads what does not travel in the manifest, then the manifest. Public from here on. @throws ProblemError */
export async function uploadInputs(
  inputs: readonly TaskInput[],
  headers: HeadersInit,
  onProgress: (progress: UploadProgress) => void,
): Promise<UploadedInputs> {
  const large = new Map(inputs.filter((input) => input.length > INLINE_BYTES_MAX).map((input) => [input.hash, input]));
  const queue = [...large.values()];
  const of = queue.length + 1;
  let sent = 0;
  const sendNext = async (): Promise<void> => {
    for (let input = queue.shift(); input; input = queue.shift()) {
      await sendOne(input, headers);
      onProgress({ sent: ++sent, of });
    }
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, sendNext));
  const { blob, blobId, inputsRoot } = await manifestOver(inputs.map(entryOf));
  await putBlob(blobId, blob, headers);
  onProgress({ sent: of, of });
  return { manifest: blobId, inputsRoot, tasks: inputs.length, bytes: totalBytes(inputs) };
}

async function sendOne(input: TaskInput, headers: HeadersInit): Promise<void> {
  if (await isThere(input.hash)) return;
  if (!input.data)
    throw new Error(`The bytes of ${input.name} are gone since the page was loaded again: add it again.`);
  await putBlob(input.hash, new Uint8Array(input.data), headers);
}

function entryOf({ length, root, hash, data, name }: TaskInput): InputEntry {
  if (length > INLINE_BYTES_MAX) return { length, root, hash, bytes: null };
  if (!data) throw new Error(`The bytes of ${name} are gone since the page was loaded again: add it again.`);
  return { length, root, hash, bytes: new Uint8Array(data) };
}
