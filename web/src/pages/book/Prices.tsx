import type { ReactNode } from "react";
import type { Schema } from "../../api/client";
import { Amount } from "../../ui/Amount";

/** The price as the market uses it today, and what devices ask in the middle. `median` in wei for a GWU. */
export function Prices({ paid, median }: { paid: Schema<"PaidBody"> | null; median: bigint | null }) {
  return (
    <>
      <dl className="prices">
        <Price name="Paid now" value={paid ? <Range paid={paid} /> : null}>
          {paid ? `for a GWU, under ${paid.leases} ${paid.leases === 1 ? "lease" : "leases"}` : "nothing is leased"}
        </Price>
        <Price name="Median ask" value={median === null ? null : <Amount wei={median} />}>
          {median === null ? "no device asks" : "for a GWU; half of the devices ask no more"}
        </Price>
      </dl>
      <p>
        There is no one clearing price yet. The cheapest devices choose first, each takes the job that pays best, and is
        paid what it asks; the job keeps the rest of its budget.
      </p>
    </>
  );
}

function Range({ paid }: { paid: Schema<"PaidBody"> }) {
  if (paid.low === paid.high) return <Amount wei={BigInt(paid.low)} />;
  return (
    <>
      <Amount wei={BigInt(paid.low)} unit={false} /> to <Amount wei={BigInt(paid.high)} />
    </>
  );
}

function Price({ name, value, children }: { name: string; value: ReactNode; children: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong>{value ?? "–"}</strong>
        <span className="small soft">{children}</span>
      </dd>
    </div>
  );
}
