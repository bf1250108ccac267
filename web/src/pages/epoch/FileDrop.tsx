import { useState } from "react";
import { DropZone, type FileDropItem, FileTrigger, Text } from "react-aria-components";
import type { GivenFiles } from "../../audit/blobs";
import type { BlobRole } from "../../audit/task";
import { EPOCH_DATA_BYTES_MAX } from "../../protocol";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { bytes } from "../../ui/numbers";
import { Select } from "../../ui/Select";

const ROLES: readonly { id: BlobRole; name: string }[] = [
  { id: "data", name: "the epoch's data" },
  { id: "manifest", name: "a manifest" },
  { id: "module", name: "a module" },
  { id: "input", name: "an input" },
  { id: "outputs", name: "a device's outputs" },
];

let given = 0;

const nameOf = (role: BlobRole): string => ROLES.find(({ id }) => id === role)?.name ?? role;

/** Takes a file in place of a blob: what was altered is seen to disagree. */
export function FileDrop({ files, onChange }: { files: GivenFiles; onChange: (files: GivenFiles) => void }) {
  const [role, setRole] = useState<BlobRole>("data");
  const [error, setError] = useState<string | null>(null);
  const take = async (file: File) => {
    if (file.size > EPOCH_DATA_BYTES_MAX) return setError(`${file.name} has more than ${bytes(EPOCH_DATA_BYTES_MAX)}.`);
    setError(null);
    onChange(
      new Map(files).set(role, { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()), mark: ++given }),
    );
  };
  const drop = (items: readonly unknown[]) => {
    const found = items.find((item): item is FileDropItem => (item as FileDropItem).kind === "file");
    if (found) void found.getFile().then(take);
  };
  return (
    <section className="card stack-tight" aria-labelledby="files">
      <h2 id="files">Compare other data</h2>
      <p>
        Give a file to be compared in place of what the store serves, for instance data from somebody else, or altered:
        every byte is hashed and held against the chain. It stays in this page.
      </p>
      <div className="file-drop">
        <Select label="The file is" value={role} onChange={setRole} options={ROLES} />
        <DropZone className="drop" onDrop={({ items }) => drop(items)}>
          <Text slot="label">Drop the file here, or</Text>
          <FileTrigger onSelect={(chosen) => void (chosen?.[0] && take(chosen[0]))}>
            <Button>Choose a file</Button>
          </FileTrigger>
        </DropZone>
      </div>
      {error ? <Notice tone="bad">{error}</Notice> : null}
      {[...files].map(([role, { name, bytes: data }]) => (
        <Notice key={role} tone="warn">
          <p>
            {name} ({bytes(data.length)}) stands for {nameOf(role)}.
          </p>
          <Button kind="quiet" onPress={() => onChange(new Map([...files].filter(([other]) => other !== role)))}>
            Take {name} away
          </Button>
        </Notice>
      ))}
    </section>
  );
}
