import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FileTrigger } from "react-aria-components";
import { api, ok } from "../../api/client";
import { messageOf } from "../../api/problem";
import type { Hex } from "../../protocol";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { bytes } from "../../ui/numbers";
import { TextField } from "../../ui/TextField";
import { hashesOf } from "./hashing";
import { faultOfLimits, limitsOf, type LimitTexts, MODULE_BYTES_MAX, START_LIMITS } from "./limits";
import { type Fault, refusalOf } from "./refusal";
import { putBlob } from "./upload";

/** A module of one's own: chosen, uploaded, admitted; refusals line by line. */
export default function UploadModule({ onAdmitted }: { onAdmitted: (program: Hex) => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [limits, setLimits] = useState<LimitTexts>(START_LIMITS);
  const queries = useQueryClient();
  const admission = useMutation({
    mutationFn: admit,
    onSuccess: async (program) => {
      await queries.invalidateQueries({ queryKey: ["programs"] });
      onAdmitted(program);
    },
  });
  const fault = file && file.size > MODULE_BYTES_MAX ? tooLarge(file.size) : faultOfLimits(limits);
  return (
    <div className="stack">
      <p className="small soft">
        One WebAssembly module without imports that exports memory, alloc and run; <code>multitude build</code> makes
        one from C or Zig. It becomes public, and anybody may buy work on it.
      </p>
      <div className="row">
        <FileTrigger
          acceptedFileTypes={[".wasm", "application/wasm"]}
          onSelect={(files) => setFile(files?.[0] ?? null)}
        >
          <Button>Choose a .wasm file</Button>
        </FileTrigger>
        <span className="small">{file ? `${file.name}, ${bytes(file.size)}` : "no file yet"}</span>
      </div>
      <div className="columns">
        <TextField label="Most WU a task" value={limits.wu} onChange={(wu) => setLimits({ ...limits, wu })} />
        <TextField
          label="Memory, pages of 64 KiB"
          value={limits.memoryPages}
          onChange={(memoryPages) => setLimits({ ...limits, memoryPages })}
        />
        <TextField
          label="Bytes of all call frames"
          value={limits.frameBytes}
          onChange={(frameBytes) => setLimits({ ...limits, frameBytes })}
        />
      </div>
      {fault ? <p className="error small">{fault}</p> : null}
      <div>
        <Button
          busy={admission.isPending}
          isDisabled={!file || fault !== null}
          onPress={() => file && admission.mutate({ file, limits })}
        >
          Upload and admit
        </Button>
      </div>
      {admission.error ? <Refused error={admission.error} /> : null}
      {admission.data ? (
        <Notice tone="good" title="Admitted">
          <p>It is in the catalogue above. Its registration on the chain takes some blocks.</p>
        </Notice>
      ) : null}
    </div>
  );
}

const tooLarge = (size: number) => `A module has at most ${bytes(MODULE_BYTES_MAX)}, this one has ${bytes(size)}.`;

async function admit({ file, limits }: { file: File; limits: LimitTexts }): Promise<Hex> {
  const data = new Uint8Array(await file.arrayBuffer());
  const [found] = await hashesOf([data]);
  if (!found) throw new Error("The module could not be hashed.");
  await putBlob(found.hash, data, {});
  const body = { originalHash: found.hash, limits: limitsOf(limits), name: nameOfFile(file.name) };
  const { programId } = await ok(api.POST("/v1/programs", { body }));
  return programId as Hex;
}

/** A name as the market takes it: the file's without its ending, other signs as "-". */
const nameOfFile = (name: string): string | null =>
  name
    .replace(/\.wasm$/i, "")
    .replaceAll(/[^\w .:/@+-]/g, "-")
    .slice(0, 80) || null;

function Refused({ error }: { error: unknown }) {
  const refusal = refusalOf(error);
  if (!refusal) {
    return (
      <Notice tone="bad" title="The module was not taken">
        <p>{messageOf(error)}</p>
      </Notice>
    );
  }
  const { faults, more } = refusal;
  const count = faults.length + more;
  return (
    <>
      <Notice tone="bad" title="The module is not admitted">
        <p>{count === 1 ? "One fault was found." : `${count.toLocaleString("en-US")} faults were found.`}</p>
      </Notice>
      <ol className="refusals small" aria-label="Admission errors">
        {faults.map((fault, index) => (
          <li key={index}>
            <Place fault={fault} />, byte {fault.byte}: {fault.message}.
            {fault.advice ? <span className="soft"> {fault.advice}</span> : null}
          </li>
        ))}
      </ol>
      {more > 0 ? <p className="small">And {more.toLocaleString("en-US")} more.</p> : null}
    </>
  );
}

/** Where a fault lies: a name of the author's, set apart so that its letters cannot turn the sentence around. */
function Place({ fault: { place, isName } }: { fault: Fault }) {
  if (place === null) return "The module";
  return <code>{isName ? <bdi>{place}</bdi> : place}</code>;
}
