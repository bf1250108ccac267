import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "wouter";
import { storeWith } from "../../audit/blobs";
import { deadlineOf, type EpochLine } from "../../audit/epochs";
import type { ChainClocks } from "../../chain/clocks";
import { blobId, type Hex, parseEpochData, ProtocolError } from "../../protocol";
import { Amount } from "../../ui/Amount";
import { type Column, DataTable } from "../../ui/DataTable";
import { Hash } from "../../ui/Hash";
import { Countdown } from "./Countdown";
import { EpochBadge } from "./StateBadge";
import type { Standing } from "../../audit/useEpochStates";

type Row = EpochLine & { standing: Standing | undefined; now: number; clocks: ChainClocks | undefined };

/** The largest data that the list reads to count tasks; an epoch's own page reads it whole. */
const COUNTED_BYTES_MAX = 2 * 2 ** 20;

const COLUMNS: Column<Row>[] = [
  {
    header: "Epoch",
    accessorFn: (row) => Number(row.id),
    cell: ({ row }) => <Link href={`/audit/epochs/${row.original.id}`}>Epoch {String(row.original.id)}</Link>,
  },
  {
    header: "State",
    accessorFn: (row) => row.standing?.state ?? "",
    cell: ({ row }) => <State row={row.original} />,
  },
  { header: "Jobs", accessorFn: (row) => row.jobs },
  { header: "Receipts", accessorFn: (row) => row.receipts },
  { header: "Tasks", enableSorting: false, id: "tasks", cell: ({ row }) => <TaskCount dataId={row.original.dataId} /> },
  { header: "Debit", accessorFn: (row) => row.debit, cell: ({ row }) => <Amount wei={row.original.debit} /> },
  {
    header: "Claimed, void",
    accessorFn: (row) => row.claimed,
    cell: ({ row }) => `${row.original.claimed}, ${row.original.voided}`,
  },
  {
    header: "Settler",
    accessorFn: (row) => row.settler,
    cell: ({ row }) => <Hash value={row.original.settler} name="settler's address" />,
  },
];

/** Epochs, newest first, each with what it waits for. */
export function EpochsTable({
  lines,
  states,
  clocks,
  now,
}: {
  lines: readonly EpochLine[];
  states: ReadonlyMap<bigint, Standing> | undefined;
  clocks: ChainClocks | undefined;
  now: number;
}) {
  const rows = useMemo(
    () => lines.map((line) => ({ ...line, standing: states?.get(line.id), now, clocks })),
    [lines, states, now, clocks],
  );
  return <DataTable caption="Epochs on the chain" rows={rows} columns={COLUMNS} rowId={(row) => String(row.id)} />;
}

function State({ row: { standing, clocks, now } }: { row: Row }) {
  if (!standing) return <span className="soft">…</span>;
  const deadline = clocks && deadlineOf(standing.state, standing.clock, clocks);
  return (
    <span className="row">
      <EpochBadge state={standing.state} />
      {deadline ? <Countdown at={deadline.at} now={now} what={deadline.what} /> : null}
    </span>
  );
}

/** Tasks of an epoch, out of its data, whose hash is on the chain. */
function TaskCount({ dataId }: { dataId: Hex }) {
  const { data } = useQuery({
    queryKey: ["task-count", dataId],
    queryFn: () => countTasks(dataId),
    staleTime: Infinity,
  });
  if (data === undefined) return <span className="soft">…</span>;
  if (data === null) return <span title="the epoch's data cannot be had, or is not what was posted">?</span>;
  return <span className="number">{data}</span>;
}

async function countTasks(dataId: Hex): Promise<number | null> {
  const raw = await storeWith(new Map())("data", dataId, COUNTED_BYTES_MAX);
  if (!raw || blobId(raw) !== dataId) return null;
  try {
    const leaves = parseEpochData(raw).entries.flatMap((entry) => entry.leaves);
    return leaves.reduce((sum, { receipt }) => sum + receipt.count, 0);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}
