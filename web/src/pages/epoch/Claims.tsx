import { Link } from "wouter";
import type { Evidence } from "../../audit/evidence";
import { BALLOT_OUTCOMES, type EpochFacts, GAME_STATES } from "../../audit/facts";
import { Amount } from "../../ui/Amount";
import { type Column, DataTable } from "../../ui/DataTable";
import { Hash } from "../../ui/Hash";

type Money = { amount: bigint; fee: bigint; deduction: bigint; surcharge: bigint; paid: bigint; bonded: bigint };
type Row = { leaf: number | null; device: string; digest: string; tx: string; money: Money };

const part = (header: string, name: keyof Money): Column<Row> => ({
  header,
  accessorFn: (row) => row.money[name],
  cell: ({ row }) => <Amount wei={row.original.money[name]} unit={false} />,
});

const COLUMNS: Column<Row>[] = [
  { header: "Leaf", accessorFn: (row) => row.leaf ?? -1, cell: ({ row }) => row.original.leaf ?? "?" },
  {
    header: "Device",
    accessorFn: (row) => row.device,
    cell: ({ row }) => <Hash value={row.original.device} name="device's address" />,
  },
  part("Amount, MANY", "amount"),
  part("Deduction", "deduction"),
  part("Paid", "paid"),
  part("Bonded", "bonded"),
  part("Fee", "fee"),
  part("Surcharge", "surcharge"),
  {
    header: "Transaction",
    enableSorting: false,
    id: "tx",
    cell: ({ row }) => <Hash value={row.original.tx} name="transaction" />,
  },
];

/** Redraws, challenges, claims and voids of the epoch. */
export function Claims({ facts, evidence }: { facts: EpochFacts; evidence: Evidence }) {
  const { log, epochId } = facts;
  const numberOf = (digest: string) => evidence.leaves.find((leaf) => leaf.digest === digest)?.number ?? null;
  const rows = log.named("EpochLedger", "Claimed", { epochId }).map(({ args, tx }) => ({
    leaf: numberOf(args.receiptDigest),
    device: args.device,
    digest: args.receiptDigest,
    tx,
    money: args.money,
  }));
  return (
    <>
      <section className="stack-tight" aria-labelledby="disputed">
        <h2 id="disputed">Redraws, challenges and voids</h2>
        <Incidents facts={facts} numberOf={numberOf} />
      </section>
      <section className="stack-tight" aria-labelledby="claims">
        <h2 id="claims">Claims</h2>
        {rows.length === 0 ? (
          <p className="soft">Nothing is claimed yet.</p>
        ) : (
          <DataTable
            caption="Claims of the epoch"
            rows={rows}
            columns={COLUMNS}
            rowId={(row) => `${row.tx} ${row.digest}`}
          />
        )}
      </section>
    </>
  );
}

function Incidents({ facts, numberOf }: { facts: EpochFacts; numberOf: (digest: string) => number | null }) {
  const { log, epochId } = facts;
  const redraws = log.named("Attestations", "RedrawOpened", { epochId });
  const games = log.named("Panel", "ChallengeOpened", { epochId });
  const voids = log.named("EpochLedger", "LeafVoided", { epochId });
  if (redraws.length + games.length + voids.length === 0) return <p className="soft">None.</p>;
  return (
    <ul>
      {redraws.map(({ args }) => (
        <li key={args.subject}>
          Redraw {args.round} of leaf {args.leafNumber}:{" "}
          {BALLOT_OUTCOMES[log.first("Attestations", "RedrawSettled", { subject: args.subject })?.args.outcome ?? 0]}
        </li>
      ))}
      {games.map(({ args }) => (
        <li key={args.gameId}>
          <Link href={`/audit/disputes/${args.gameId}`}>
            Challenge of position {args.task} of leaf {args.leafNumber}
          </Link>
          :{" "}
          {GAME_STATES[log.first("Panel", "ChallengeResolved", { gameId: args.gameId })?.args.outcome ?? -1] ??
            "before the panel"}
        </li>
      ))}
      {voids.map(({ args, tx }) => (
        <li key={`${tx} ${args.receiptDigest}`}>
          Leaf {numberOf(args.receiptDigest) ?? "?"} is void: <Amount wei={args.debit} /> returned to its job
        </li>
      ))}
    </ul>
  );
}
