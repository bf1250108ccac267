import { useMemo } from "react";
import { Link } from "wouter";
import type { Schema } from "../../api/client";
import { Amount } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { type Column, DataTable } from "../../ui/DataTable";
import { Hash } from "../../ui/Hash";
import { nameOf, usePrograms } from "../buy/usePrograms";
import "./jobs.css";
import { doneText, isAllFinal, spentOf } from "./rows";

type Row = Schema<"JobBody">;

const TONES: Record<string, "info" | "good" | "warn" | "bad" | "plain"> = {
  open: "info",
  opening: "info",
  closing: "warn",
  closed: "plain",
  refused: "bad",
};

/** Jobs with their states and what they cost. */
export function JobTable({ jobs, withBuyer }: { jobs: Row[]; withBuyer: boolean }) {
  const { data: programs } = usePrograms();
  const columns = useMemo(() => {
    const names = new Map(programs?.map((program) => [program.programId, nameOf(program)]));
    return columnsOf((id) => names.get(id) ?? `${id.slice(0, 10)}…`).filter(({ id }) => withBuyer || id !== "buyer");
  }, [programs, withBuyer]);
  return (
    <DataTable caption="Jobs, newest first" rows={jobs} columns={columns} rowId={(job) => job.jobId} pageSize={20} />
  );
}

const columnsOf = (nameOfProgram: (id: string) => string): Column<Row>[] => [
  {
    id: "job",
    header: "Job",
    enableSorting: false,
    cell: ({ row: { original } }) => (
      <Link href={`/jobs/${original.jobId}`} className="job-link">
        {original.jobId.slice(0, 10)}…
      </Link>
    ),
  },
  {
    id: "program",
    header: "Program",
    enableSorting: false,
    cell: ({ row }) => nameOfProgram(row.original.bid.programId),
  },
  {
    id: "buyer",
    header: "Buyer",
    enableSorting: false,
    cell: ({ row }) => <Hash value={row.original.bid.buyer} name="buyer" />,
  },
  {
    id: "state",
    header: "State",
    enableSorting: false,
    cell: ({ row: { original } }) =>
      isAllFinal(original) ? (
        <Badge tone="good">all final</Badge>
      ) : (
        <Badge tone={TONES[original.state] ?? "plain"}>{original.state}</Badge>
      ),
  },
  { id: "tasks", header: "Tasks", enableSorting: false, cell: ({ row }) => doneText(row.original) },
  {
    id: "spent",
    header: "Spent",
    enableSorting: false,
    cell: ({ row: { original } }) => {
      const spent = spentOf(original);
      return spent === null ? <span className="soft">still open</span> : <Amount wei={spent} />;
    },
  },
  {
    id: "cap",
    header: "Cap",
    enableSorting: false,
    cell: ({ row }) => <Amount wei={BigInt(row.original.bid.budget)} />,
  },
];
