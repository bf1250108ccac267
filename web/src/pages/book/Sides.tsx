import type { ReactNode } from "react";
import type { Schema } from "../../api/client";
import { Amount, Work } from "../../ui/Amount";
import { type Column, DataTable } from "../../ui/DataTable";
import { Empty } from "../../ui/Empty";

type Ask = Schema<"AskLevelBody">;
type Bid = Schema<"BidLevelBody">;

/** Offers by price, or why there are none. */
export function Offers({ asks }: { asks: Ask[] }) {
  return (
    <Side title="Offers" what="The least that devices ask, MANY for a GWU.">
      {asks.length > 0 ? (
        <DataTable caption="Offers by price" rows={asks} columns={ASK_COLUMNS} rowId={(row) => row.priceWeiPerGWU} />
      ) : (
        <Empty title="No device is there">
          <p>A device that polls and may be given leases stands here with its ask.</p>
        </Empty>
      )}
    </Side>
  );
}

/** Demand by price, or why there is none. */
export function Demand({ bids }: { bids: Bid[] }) {
  return (
    <Side title="Demand" what="The most that jobs pay, MANY for a GWU.">
      {bids.length > 0 ? (
        <DataTable caption="Demand by price" rows={bids} columns={BID_COLUMNS} rowId={(row) => row.priceWeiPerGWU} />
      ) : (
        <Empty title="Nothing is wanted">
          <p>Open jobs stand here with the tasks that no device has yet, and the most they pay.</p>
        </Empty>
      )}
    </Side>
  );
}

function Side({ title, what, children }: { title: string; what: string; children: ReactNode }) {
  return (
    <section className="card stack" aria-label={title}>
      <div>
        <h2>{title}</h2>
        <p className="small soft">{what}</p>
      </div>
      {children}
    </section>
  );
}

const price = <Row extends { priceWeiPerGWU: string }>(header: string): Column<Row> => ({
  header,
  accessorFn: (row) => BigInt(row.priceWeiPerGWU),
  cell: ({ row }) => <Amount wei={BigInt(row.original.priceWeiPerGWU)} unit={false} />,
});

const ASK_COLUMNS: Column<Ask>[] = [
  price<Ask>("Price"),
  { header: "Devices", accessorFn: (row) => row.devices },
  {
    header: "WU a second",
    accessorFn: (row) => row.wuPerSecond,
    cell: ({ row: { original: ask } }) => (
      <>
        <Work wu={BigInt(Math.floor(ask.wuPerSecond))} />
        {ask.unmeasured > 0 ? <span className="soft"> and {ask.unmeasured} not told</span> : null}
      </>
    ),
  },
];

const BID_COLUMNS: Column<Bid>[] = [
  price<Bid>("Price"),
  { header: "Jobs", accessorFn: (row) => row.jobs },
  { header: "Tasks", accessorFn: (row) => row.tasks },
  {
    header: "Work",
    accessorFn: (row) => BigInt(row.mostWU),
    cell: ({ row }) => <Work wu={BigInt(row.original.mostWU)} />,
  },
];
