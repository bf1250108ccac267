import { Link } from "wouter";
import { Amount } from "../../ui/Amount";
import { type Column, DataTable } from "../../ui/DataTable";
import { Hash } from "../../ui/Hash";
import type { Item, Kind } from "./earnings";

const WORDS: Record<Kind, string> = {
  pending: "pending",
  due: "final, not claimed",
  paid: "paid",
  bonded: "bonded",
  deducted: "deducted",
  withdrawn: "withdrawn",
  slashed: "slashed",
  voided: "voided, went back to its job",
  staked: "staked",
  unstaked: "unstaked",
};

type Row = Item & { id: string };

const COLUMNS: Column<Row>[] = [
  {
    id: "what",
    header: "What",
    accessorFn: (item) => WORDS[item.kind],
    cell: ({ row }) => <What item={row.original} />,
  },
  {
    id: "amount",
    header: "Amount",
    accessorFn: (item) => item.wei,
    sortFn: "basic",
    cell: ({ row }) => <Amount wei={row.original.wei} />,
  },
  {
    id: "device",
    header: "Device",
    accessorFn: (item) => item.device ?? "",
    cell: ({ row }) => (row.original.device ? <Hash value={row.original.device} name="device's address" /> : "you"),
  },
  {
    id: "epoch",
    header: "Epoch",
    accessorFn: (item) => item.epoch ?? -1n,
    sortFn: "basic",
    cell: ({ row }) => <Epoch epoch={row.original.epoch} />,
  },
  {
    id: "transaction",
    header: "Transaction",
    enableSorting: false,
    cell: ({ row }) => (row.original.tx ? <Hash value={row.original.tx} name="transaction's hash" /> : "not there yet"),
  },
];

/** Every amount of a part of the money, newest first, with its epoch and its transaction. */
export function Entries({ title, items }: { title: string; items: readonly Item[] }) {
  const rows = items.map((item, index) => ({ ...item, id: `${index} ${item.kind} ${item.tx}` }));
  return (
    <DataTable caption={`Entries: ${title}`} rows={rows} columns={COLUMNS} rowId={(row) => row.id} pageSize={10} />
  );
}

const What = ({ item }: { item: Item }) => (
  <>
    {WORDS[item.kind]}
    {item.note ? <span className="soft">: {item.note}</span> : null}
  </>
);

const Epoch = ({ epoch }: { epoch: bigint | null }) =>
  epoch === null ? "" : <Link href={`/audit/epochs/${epoch}`}>Epoch {epoch.toString()}</Link>;
