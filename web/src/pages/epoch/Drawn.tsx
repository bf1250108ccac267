import { useState } from "react";
import type { Evidence } from "../../audit/evidence";
import { outcomeOf } from "../../audit/findings";
import { runKey } from "../../audit/judgement";
import { Work } from "../../ui/Amount";
import { Button } from "../../ui/Button";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import { TextField } from "../../ui/TextField";
import { OutcomeBadge } from "../audit/StateBadge";
import type { DrawnTask } from "./EpochReport";
import { TaskReport } from "./TaskReport";
import type { Replays, Wanted } from "./useReplays";

type Row = DrawnTask & { replays: Replays; onOpen: (wanted: Wanted) => void };

const taskOf = ({ leaf, position }: Wanted): number => leaf.tasks[position] ?? -1;

const COLUMNS: Column<Row>[] = [
  { header: "Task", accessorFn: (row) => taskOf(row) },
  {
    header: "Leaf",
    accessorFn: (row) => row.leaf.number,
    cell: ({ row }) => `${row.original.leaf.number}, position ${row.original.position}`,
  },
  {
    header: "Device",
    accessorFn: (row) => row.leaf.device,
    cell: ({ row }) => <Hash value={row.original.leaf.device} name="device's address" copy={false} />,
  },
  {
    header: "Seats that got it",
    enableSorting: false,
    id: "seats",
    cell: ({ row }) =>
      row.original.seats.map((seat) => <Hash key={seat} value={seat} name="verifier's address" copy={false} />),
  },
  {
    header: "WU",
    accessorFn: (row) => row.leaf.data.results[row.position]?.wu ?? 0n,
    cell: ({ row }) => <Work wu={row.original.leaf.data.results[row.original.position]?.wu ?? 0n} />,
  },
  { header: "Replay", enableSorting: false, id: "replay", cell: ({ row }) => <ReplayCell row={row.original} /> },
];

/** The drawn tasks, and any other task by its number; each can be run again here. */
export function Drawn({
  drawn,
  replays,
  evidence,
}: {
  drawn: readonly DrawnTask[];
  replays: Replays;
  evidence: Evidence;
}) {
  const [open, setOpen] = useState<Wanted | null>(null);
  const rows = drawn.map((task) => ({ ...task, replays, onOpen: setOpen }));
  return (
    <section className="stack-tight" aria-labelledby="drawn">
      <h2 id="drawn">Drawn tasks</h2>
      <p className="small soft">
        Chosen by the seed after the results were on the chain. Each is replayed by the seats drawn for its leaf before
        anybody is paid, and here by you.
      </p>
      {drawn.length === 0 ? (
        <Empty title="No task is drawn">
          <p>The seed is not there yet, or it chose none of these receipts&apos; tasks.</p>
        </Empty>
      ) : (
        <DataTable
          caption="Tasks that the seed drew"
          rows={rows}
          columns={COLUMNS}
          rowId={(row) => runKey(row.leaf.number, row.position)}
          pageSize={10}
        />
      )}
      {open ? <TaskReport wanted={open} replays={replays} /> : null}
      <AnyTask evidence={evidence} replays={replays} onOpen={setOpen} />
    </section>
  );
}

function ReplayCell({ row }: { row: Row }) {
  const { leaf, position, replays, onOpen } = row;
  const found = replays.results.get(runKey(leaf.number, position));
  const wanted = { leaf, position };
  const name = `task ${taskOf(wanted)}`;
  if (found)
    return (
      <span className="row">
        <OutcomeBadge outcome={outcomeOf(found.findings)} />
        <Button kind="quiet" aria-label={`What was compared of ${name}`} onPress={() => onOpen(wanted)}>
          Compared
        </Button>
      </span>
    );
  const start = () => {
    onOpen(wanted);
    replays.replay([wanted]);
  };
  return (
    <Button isDisabled={replays.progress !== null} aria-label={`Replay ${name}`} onPress={start}>
      Replay
    </Button>
  );
}

/** Any task of the epoch by its index in its job: drawn or not. */
function AnyTask({
  evidence,
  replays,
  onOpen,
}: {
  evidence: Evidence;
  replays: Replays;
  onOpen: (wanted: Wanted) => void;
}) {
  const [text, setText] = useState("");
  const [error, setError] = useState<string | null>(null);
  const start = () => {
    const task = /^[0-9]{1,8}$/.test(text.trim()) ? Number(text) : -1;
    const wanted = evidence.leaves
      .map((leaf) => ({ leaf, position: leaf.tasks.indexOf(task) }))
      .filter(({ position }) => position >= 0);
    const [first] = wanted;
    if (!first) return setError("This epoch has no such task.");
    setError(null);
    onOpen(first);
    replays.replay(wanted);
  };
  return (
    <form
      className="any-task"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <TextField
        label="Any other task"
        hint="its number in its job"
        value={text}
        onChange={setText}
        error={error}
        inputMode="numeric"
      />
      <Button type="submit" isDisabled={replays.progress !== null || evidence.leaves.length === 0}>
        Replay it
      </Button>
    </form>
  );
}
