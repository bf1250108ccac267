import type { Outcome } from "../../audit/findings";
import { Button } from "../../ui/Button";
import { Meter } from "../../ui/Meter";
import { Notice } from "../../ui/Notice";
import { messageOf } from "../../api/problem";
import { OutcomeBadge } from "../audit/StateBadge";
import type { Replays, Wanted } from "./useReplays";

const MEANING: Record<Outcome, string> = {
  agrees: "Every comparison came out equal.",
  disagrees: "At least one comparison did not come out equal: see below which, with both values.",
  unknown: "Nothing disagrees, and at least one comparison could not be made.",
};

/** The verdict on the epoch, as `multitude audit` would end: 0 agrees, 1 disagrees, 2 cannot tell. */
export function Verdict({
  outcome,
  count,
  replayed,
  replays,
  wanted,
}: {
  outcome: Outcome;
  count: number;
  replayed: number;
  replays: Replays;
  wanted: readonly Wanted[];
}) {
  const { progress } = replays;
  return (
    <section className="card stack-tight" aria-labelledby="verdict">
      <h2 id="verdict">Does it agree?</h2>
      <p role="status" className="row">
        <OutcomeBadge outcome={outcome} />
        <span>
          {MEANING[outcome]} {count} comparisons;{" "}
          {replayed > 0 ? `${replayed} drawn or accused tasks were run again here.` : "no task was run again yet."}
        </span>
      </p>
      {progress ? (
        <Meter
          label="Running tasks again"
          share={progress.done / progress.total}
          text={`${progress.done} of ${progress.total}`}
        />
      ) : null}
      {replays.error ? (
        <Notice tone="bad" title="The replay stopped">
          <p>{messageOf(replays.error)}</p>
        </Notice>
      ) : null}
      <div className="row">
        <Button
          kind="primary"
          isDisabled={wanted.length === 0 || progress !== null}
          onPress={() => replays.replay(wanted)}
        >
          Replay all drawn tasks
        </Button>
        {progress ? <Button onPress={replays.stop}>Stop</Button> : null}
      </div>
      <p className="small soft">
        Same meaning as <code>multitude audit replay</code>: agrees 0, disagrees 1, cannot tell 2. This page runs the
        registered module; that it is what the tools make of its source is the word of the seats that attested it, or of
        the command line.
      </p>
    </section>
  );
}
