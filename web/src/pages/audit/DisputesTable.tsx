import { useMemo } from "react";
import { Link } from "wouter";
import { type Dispute, disputesOf } from "../../audit/disputes";
import type { EventLog } from "../../chain/log";
import { Amount } from "../../ui/Amount";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import { GameBadge } from "./StateBadge";

const COLUMNS: Column<Dispute>[] = [
  {
    header: "Dispute",
    accessorFn: (row) => row.opened.block,
    cell: ({ row }) => (
      <Link href={`/audit/disputes/${row.original.gameId}`}>
        Leaf {row.original.leafNumber}, position {row.original.task}
      </Link>
    ),
  },
  {
    header: "Epoch",
    accessorFn: (row) => Number(row.epochId),
    cell: ({ row }) => <Link href={`/audit/epochs/${row.original.epochId}`}>Epoch {String(row.original.epochId)}</Link>,
  },
  {
    header: "State",
    accessorFn: (row) => row.outcome ?? "",
    cell: ({ row }) => (row.original.outcome ? <GameBadge state={row.original.outcome} /> : "before the panel"),
  },
  {
    header: "Accused device",
    accessorFn: (row) => row.device,
    cell: ({ row }) => <Hash value={row.original.device} name="device's address" />,
  },
  {
    header: "Opener",
    accessorFn: (row) => row.opener,
    cell: ({ row }) => <Hash value={row.original.opener} name="opener's address" />,
  },
  {
    header: "Slashed",
    accessorFn: (row) => row.slash?.slashed ?? 0n,
    cell: ({ row }) => (row.original.slash ? <Amount wei={row.original.slash.slashed} /> : "nothing"),
  },
];

/** Every challenge, newest first. */
export function DisputesTable({ log }: { log: EventLog }) {
  const disputes = useMemo(() => disputesOf(log), [log]);
  return (
    <section className="stack-tight" aria-labelledby="disputes">
      <h2 id="disputes">Disputes</h2>
      <p className="small soft">
        A panel of drawn seats judges every dispute: the game that bisects a run down to one instruction does not exist
        yet.
      </p>
      {disputes.length === 0 ? (
        <Empty title="No dispute yet">
          <p>Nobody has accused a device on this chain.</p>
        </Empty>
      ) : (
        <DataTable caption="Disputes on the chain" rows={disputes} columns={COLUMNS} rowId={(row) => row.gameId} />
      )}
    </section>
  );
}
