import { blobId, encodeManifest, type InputEntry, inputEntryOf, manifestInputsRoot } from "../../protocol";
import type { HashingAnswer, HashingAsk } from "./hashing";

const post = (answer: HashingAnswer) => self.postMessage(answer);

self.addEventListener("message", ({ data }: MessageEvent<HashingAsk>) => {
  try {
    if (data.kind === "entries") {
      const entries = data.inputs.map((input) => inputEntryOf(input));
      post({ id: data.id, kind: "entries", entries: entries.map(({ hash, root }) => ({ hash, root })) });
      return;
    }
    const manifest = { inputs: data.entries.map((entry): InputEntry => entry) };
    const blob = encodeManifest(manifest);
    post({ id: data.id, kind: "manifest", blob, blobId: blobId(blob), inputsRoot: manifestInputsRoot(manifest) });
  } catch (error) {
    post({ id: data.id, kind: "failed", reason: error instanceof Error ? error.message : String(error) });
  }
});
