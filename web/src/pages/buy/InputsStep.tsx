import { useState } from "react";
import { DropZone, type FileDropItem, FileTrigger, isFileDropItem } from "react-aria-components";
import { messageOf } from "../../api/problem";
import { Button } from "../../ui/Button";
import { Notice } from "../../ui/Notice";
import { bytes } from "../../ui/numbers";
import { Select } from "../../ui/Select";
import { Spinner } from "../../ui/Spinner";
import { TextField } from "../../ui/TextField";
import { exampleInputs, type KnownProgram } from "./catalogue";
import { InputList } from "./InputList";
import { faultOfAdding, type PasteForm, pastedInputs, type RawInput, type TaskInput, totalBytes } from "./inputs";

type Handlers = {
  onAdd: (inputs: RawInput[]) => Promise<void>;
  onRemove: (key: number) => void;
  onClear: () => void;
};

/** One task for each input: dropped, chosen, pasted, or the program's example. */
export function InputsStep({
  inputs,
  known,
  handlers: { onAdd, onRemove, onClear },
}: {
  inputs: TaskInput[];
  known: KnownProgram | null;
  handlers: Handlers;
}) {
  const [fault, setFault] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  const add = async (sizes: { name: string; size: number }[], read: () => Promise<RawInput[]>) => {
    const wrong = faultOfAdding(sizes, inputs.length);
    setFault(wrong);
    if (wrong) return;
    setBusy(true);
    try {
      await onAdd(await read());
    } catch (error) {
      setFault(messageOf(error));
    } finally {
      setBusy(false);
    }
  };
  const addRaw = (raw: RawInput[]) =>
    add(
      raw.map(({ name, data }) => ({ name, size: data.length })),
      () => Promise.resolve(raw),
    );
  const addFiles = (files: File[]) => add(files, () => Promise.all(files.map(rawOf)));

  return (
    <>
      <p className="small soft">
        Each file or line is one task. An input has at most 16 MiB, a job at most 100,000 of them.
      </p>
      <DropZone className="drop" onDrop={({ items }) => void filesOf(items.filter(isFileDropItem)).then(addFiles)}>
        <FileTrigger allowsMultiple onSelect={(files) => void addFiles([...(files ?? [])])}>
          <Button>Choose files</Button>
        </FileTrigger>
        <span slot="label" className="soft">
          or drop them here
        </span>
        {known ? (
          <Button kind="quiet" onPress={() => void addRaw(exampleInputs(known))}>
            Add the {exampleInputs(known).length} examples
          </Button>
        ) : null}
      </DropZone>
      <Paste onPaste={addRaw} onFault={setFault} />
      <div aria-live="polite">
        {busy ? <Spinner label="Hashing the inputs" /> : null}
        {fault ? <Notice tone="bad">{fault}</Notice> : null}
      </div>
      {inputs.length > 0 ? (
        <>
          <div className="row spread">
            <strong>
              {inputs.length.toLocaleString("en-US")} {inputs.length === 1 ? "input" : "inputs"},{" "}
              {bytes(totalBytes(inputs))}
            </strong>
            <Button kind="quiet" onPress={onClear}>
              Remove all
            </Button>
          </div>
          <InputList inputs={inputs} onRemove={onRemove} />
        </>
      ) : null}
    </>
  );
}

const filesOf = (items: FileDropItem[]): Promise<File[]> => Promise.all(items.map((item) => item.getFile()));

const rawOf = async (file: File): Promise<RawInput> => ({
  name: file.name,
  data: new Uint8Array(await file.arrayBuffer()),
});

const FORMS = [
  { id: "lines", name: "Text, a task on each line" },
  { id: "text", name: "Text, all of it one task" },
  { id: "hex", name: "Hex, a task on each line" },
] as const;

function Paste({ onPaste, onFault }: { onPaste: (raw: RawInput[]) => Promise<void>; onFault: (text: string) => void }) {
  const [text, setText] = useState("");
  const [form, setForm] = useState<PasteForm>("lines");
  const add = async () => {
    try {
      await onPaste(pastedInputs(text, form));
      setText("");
    } catch (error) {
      onFault(messageOf(error));
    }
  };
  return (
    <details>
      <summary>Paste inputs</summary>
      <div className="paste">
        <Select label="What is pasted" value={form} onChange={setForm} options={FORMS} />
        <TextField label="Inputs" lines value={text} onChange={setText} />
        <div>
          <Button isDisabled={text === ""} onPress={() => void add()}>
            Add
          </Button>
        </div>
      </div>
    </details>
  );
}
