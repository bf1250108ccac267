import { Link } from "wouter";
import type { Schema } from "../../api/client";
import { Amount, Work } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";
import { Hash } from "../../ui/Hash";
import { type Job, useReceipt } from "./useJob";

type Item = Schema<"BillItem"> & { key: string };
type Transaction = Schema<"BillTransaction"> & { key: string };

const TONES: Record<string, "good" | "bad" | "info"> = { claimed: "good", voided: "bad" };
const wei = (id: "amount" | "fee" | "surcharge" | "deduction", header: string): Column<Item> => ({
  id,
  header,
  accessorFn: (item) => Number(item[id]),
  cell: ({ row }) => <Amount wei={BigInt(row.original[id])} unit={false} />,
});

const ITEMS: Column<Item>[] = [
  {
    id: "epoch",
    header: "Epoch",
    accessorFn: (item) => item.epoch ?? -1,
    cell: ({ row: { original } }) =>
      original.epoch === null ? "–" : <Link href={`/audit/epochs/${original.epoch}`}>{original.epoch}</Link>,
  },
  {
    id: "device",
    header: "Device",
    enableSorting: false,
    cell: ({ row }) => <Hash value={row.original.device} name="device" />,
  },
  {
    id: "state",
    header: "State",
    enableSorting: false,
    cell: ({ row }) => <Badge tone={TONES[row.original.state] ?? "info"}>{row.original.state}</Badge>,
  },
  { id: "tasks", header: "Tasks", accessorFn: (item) => item.tasks, cell: ({ row }) => row.original.tasks },
  {
    id: "wu",
    header: "Work",
    accessorFn: (item) => Number(item.wu),
    cell: ({ row }) => <Work wu={BigInt(row.original.wu)} />,
  },
  wei("amount", "Pay"),
  wei("fee", "Fee"),
  wei("surcharge", "Checking"),
  wei("deduction", "of the pay to checkers"),
  {
    id: "tx",
    header: "Claimed or voided in",
    enableSorting: false,
    cell: ({ row: { original } }) =>
      original.claimTx ? <Hash value={original.claimTx} name="transaction hash" /> : "–",
  },
];

const TRANSACTIONS: Column<Transaction>[] = [
  { id: "what", header: "What", enableSorting: false, cell: ({ row }) => row.original.what },
  { id: "block", header: "Block", accessorFn: (row) => row.block, cell: ({ row }) => row.original.block },
  {
    id: "hash",
    header: "Transaction",
    enableSorting: false,
    cell: ({ row }) => <Hash value={row.original.hash} name="transaction hash" />,
  },
];

/** Where the money went, leaf by leaf, with the transactions that say so. */
export function ReceiptCard({ job }: { job: Job }) {
  const { data: bill } = useReceipt(job.jobId);
  const path = `/v1/jobs/${job.jobId}/receipt`;
  const name = `receipt-${job.jobId.slice(2, 10)}`;
  return (
    <section className="card stack" aria-labelledby="receipt">
      <div className="row spread">
        <h2 id="receipt">Receipt</h2>
        <div className="row">
          <a className="button button-plain" href={path} download={`${name}.json`}>
            JSON
          </a>
          <a className="button button-plain" href={`${path}?format=csv`} download={`${name}.csv`}>
            CSV
          </a>
        </div>
      </div>
      {bill && bill.items.length > 0 ? (
        <>
          <p className="small soft">
            Spent <Amount wei={BigInt(bill.spent)} />, of it fees <Amount wei={BigInt(bill.fees)} />. One line for each
            device and epoch; amounts in MANY.
          </p>
          <DataTable
            caption="Items of the receipt"
            rows={itemsOf(bill)}
            columns={ITEMS}
            rowId={(item) => item.key}
            pageSize={10}
          />
        </>
      ) : (
        <Empty title="Nothing is posted yet">
          <p>Lines appear when an epoch with work of this job is on the chain.</p>
        </Empty>
      )}
      {bill && bill.transactions.length > 0 ? (
        <details>
          <summary>{bill.transactions.length} transactions</summary>
          <DataTable
            caption="Transactions of the job"
            rows={transactionsOf(bill)}
            columns={TRANSACTIONS}
            rowId={(row) => row.key}
            pageSize={10}
          />
        </details>
      ) : null}
    </section>
  );
}

const itemsOf = (bill: Schema<"Bill">): Item[] => bill.items.map((item, index) => ({ ...item, key: String(index) }));
const transactionsOf = (bill: Schema<"Bill">): Transaction[] =>
  bill.transactions.map((row, index) => ({ ...row, key: `${row.block} ${index}` }));
