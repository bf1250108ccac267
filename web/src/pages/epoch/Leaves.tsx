import type { Evidence, Leaf } from "../../audit/evidence";
import type { EpochFacts } from "../../audit/facts";
import { Amount, Work } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import type { DrawnTask } from "./EpochReport";

type Row = Leaf & { drawn: number; settled: "claimed" | "void" | "open" };

const COLUMNS: Column<Row>[] = [
  { header: "Leaf", accessorFn: (row) => row.number },
  {
    header: "Device",
    accessorFn: (row) => row.device,
    cell: ({ row }) => <Hash value={row.original.device} name="device's address" />,
  },
  {
    header: "Data",
    accessorFn: (row) => row.unbacked ?? "",
    cell: ({ row }) =>
      row.original.unbacked === null ? "backs it" : <Badge tone="bad">not backed: {row.original.unbacked}</Badge>,
  },
  { header: "Tasks", accessorFn: (row) => row.data.receipt.count },
  { header: "Drawn", accessorFn: (row) => row.drawn },
  {
    header: "WU",
    accessorFn: (row) => row.data.receipt.totalWU,
    cell: ({ row }) => <Work wu={row.original.data.receipt.totalWU} />,
  },
  {
    header: "Pay",
    accessorFn: (row) => row.data.receipt.amount,
    cell: ({ row }) => <Amount wei={row.original.data.receipt.amount} />,
  },
  { header: "Debit", accessorFn: (row) => row.debit, cell: ({ row }) => <Amount wei={row.original.debit} /> },
  {
    header: "Settled",
    accessorFn: (row) => row.settled,
    cell: ({ row }) => {
      const { settled } = row.original;
      return <Badge tone={settled === "claimed" ? "good" : settled === "void" ? "bad" : "plain"}>{settled}</Badge>;
    },
  },
  {
    header: "Receipt",
    enableSorting: false,
    id: "digest",
    cell: ({ row }) => <Hash value={row.original.digest} name="receipt's digest" />,
  },
];

/** The receipts of the epoch: out of its data, whose hash, roots and sums are on the chain. */
export function Leaves({
  facts,
  evidence,
  drawn,
}: {
  facts: EpochFacts;
  evidence: Evidence;
  drawn: readonly DrawnTask[];
}) {
  const { log, epochId } = facts;
  const claimed = new Set(log.named("EpochLedger", "Claimed", { epochId }).map(({ args }) => args.receiptDigest));
  const voided = new Set(log.named("EpochLedger", "LeafVoided", { epochId }).map(({ args }) => args.receiptDigest));
  const rows = evidence.leaves.map((leaf) => ({
    ...leaf,
    drawn: drawn.filter((task) => task.leaf.number === leaf.number).length,
    settled: claimed.has(leaf.digest)
      ? ("claimed" as const)
      : voided.has(leaf.digest)
        ? ("void" as const)
        : ("open" as const),
  }));
  return (
    <section className="stack-tight" aria-labelledby="leaves">
      <h2 id="leaves">Receipts</h2>
      {rows.length === 0 ? (
        <Empty title="No receipt can be shown">
          <p>The epoch&apos;s data is missing, or it is not what was posted.</p>
        </Empty>
      ) : (
        <DataTable caption="Receipts of the epoch" rows={rows} columns={COLUMNS} rowId={(row) => String(row.number)} />
      )}
    </section>
  );
}
