import type { Finding } from "../../audit/findings";
import { type Column, DataTable } from "../../ui/DataTable";
import { OutcomeBadge } from "../audit/StateBadge";

const WEIGHT = { disagrees: 0, unknown: 1, agrees: 2 } as const;

type Row = Finding & { index: number };

const COLUMNS: Column<Row>[] = [
  {
    header: "Says",
    accessorFn: (row) => WEIGHT[row.outcome],
    cell: ({ row }) => <OutcomeBadge outcome={row.original.outcome} />,
  },
  {
    header: "About",
    accessorFn: (row) => row.topic,
    cell: ({ row }) => <span className="finding">{row.original.topic}</span>,
  },
  {
    header: "Compared",
    accessorFn: (row) => row.what,
    cell: ({ row }) => (
      <span className="finding">
        {row.original.what}
        {row.original.detail ? <span className="soft"> ({row.original.detail})</span> : null}
      </span>
    ),
  },
  {
    header: "On chain, or signed",
    enableSorting: false,
    id: "said",
    cell: ({ row }) => <Value text={row.original.said} />,
  },
  { header: "Found here", enableSorting: false, id: "found", cell: ({ row }) => <Value text={row.original.found} /> },
];

/** Comparisons, those that disagree first, each with both values. */
export function Findings({ title, findings }: { title: string; findings: readonly Finding[] }) {
  const rows = findings
    .map((finding, index) => ({ ...finding, index }))
    .sort((a, b) => WEIGHT[a.outcome] - WEIGHT[b.outcome] || a.index - b.index);
  return (
    <section className="stack-tight">
      <h2>{title}</h2>
      <DataTable caption={title} rows={rows} columns={COLUMNS} rowId={(row) => String(row.index)} pageSize={12} />
    </section>
  );
}

/** A value as text, whole: it is there to be compared by eye. */
export function Value({ text }: { text: string | null }) {
  return text === null ? <span className="soft">–</span> : <code className="value">{text}</code>;
}
