import { type Dispatch, useCallback } from "react";
import { Button } from "../../ui/Button";
import type { KnownProgram } from "./catalogue";
import type { Draft, DraftAction } from "./draft";
import { hashesOf } from "./hashing";
import type { RawInput } from "./inputs";
import { InputsStep } from "./InputsStep";
import { Publish } from "./Publish";

/** The second step: the list of inputs, what becomes public, the upload. */
export default function Inputs({
  draft: { inputs, uploaded },
  known,
  dispatch,
}: {
  draft: Draft;
  known: KnownProgram | null;
  dispatch: Dispatch<DraftAction>;
}) {
  const onRemove = useCallback((key: number) => dispatch({ type: "remove", key }), [dispatch]);
  const onClear = () => dispatch({ type: "clear" });
  const onAdd = async (raw: RawInput[]) => {
    const hashes = await hashesOf(raw.map(({ data }) => data));
    const added = raw.flatMap(({ name, data }, index) => {
      const found = hashes[index];
      return found ? [{ name, data, length: data.length, ...found }] : [];
    });
    dispatch({ type: "add", inputs: added });
  };
  const list = <InputsStep inputs={inputs} known={known} handlers={{ onAdd, onRemove, onClear }} />;
  if (!uploaded) {
    return (
      <>
        {list}
        <Publish inputs={inputs} onUploaded={(made) => dispatch({ type: "uploaded", uploaded: made })} />
      </>
    );
  }
  return (
    <>
      <p>{uploaded.tasks.toLocaleString("en-US")} inputs are uploaded and public.</p>
      {inputs.length > 0 ? (
        <details>
          <summary>Look at the inputs, or change them</summary>
          <div className="stack">{list}</div>
        </details>
      ) : (
        <div>
          <Button kind="quiet" onPress={onClear}>
            Choose other inputs
          </Button>
        </div>
      )}
    </>
  );
}
