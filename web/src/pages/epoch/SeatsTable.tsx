import type { Evidence } from "../../audit/evidence";
import { drawnFrom, type EpochFacts, revealsOf } from "../../audit/facts";
import { VERDICT_WORDS, verdictOn } from "../../audit/verdicts";
import { Verdict } from "../../protocol";
import { Badge } from "../../ui/Badge";
import { type Column, DataTable } from "../../ui/DataTable";
import { Hash } from "../../ui/Hash";

type Row = {
  verifier: string;
  seats: number;
  committed: number | null;
  revealed: number | null;
  said: [number, Verdict][];
};

const TONES = ["plain", "good", "bad", "warn"] as const;

const COLUMNS: Column<Row>[] = [
  {
    header: "Verifier",
    accessorFn: (row) => row.verifier,
    cell: ({ row }) => <Hash value={row.original.verifier} name="verifier's address" />,
  },
  { header: "Seats", accessorFn: (row) => row.seats },
  {
    header: "Committed",
    accessorFn: (row) => row.committed ?? Infinity,
    cell: ({ row }) => inBlock(row.original.committed),
  },
  {
    header: "Revealed",
    accessorFn: (row) => row.revealed ?? Infinity,
    cell: ({ row }) => inBlock(row.original.revealed),
  },
  {
    header: "Verdicts by leaf",
    enableSorting: false,
    id: "said",
    cell: ({ row }) => <Said said={row.original.said} revealed={row.original.revealed !== null} />,
  },
];

/** Every verifier of the snapshot: what it committed and revealed. One with no drawn leaf commits too. */
export function SeatsTable({ facts, evidence }: { facts: EpochFacts; evidence: Evidence }) {
  const { log, epochId } = facts;
  const from = drawnFrom(facts);
  const reveals = revealsOf(facts);
  const last =
    evidence.leaves.length > 0 ? Math.max(...evidence.leaves.map(({ number }) => number)) + 1 : leafCount(facts);
  const rows = [...new Set(from.map(({ verifier }) => verifier))].map((verifier): Row => {
    const revealed = reveals.get(verifier);
    const said = Array.from({ length: last }, (_, leaf): [number, Verdict] => [
      leaf,
      revealed ? verdictOn(revealed, leaf).verdict : Verdict.NOT_MINE,
    ]);
    return {
      verifier,
      seats: from.filter((seat) => seat.verifier === verifier).length,
      committed: log.first("Attestations", "Committed", { epochId, verifier })?.block ?? null,
      revealed: log.first("Attestations", "Revealed", { epochId, verifier })?.block ?? null,
      said: said.filter(([, verdict]) => verdict !== Verdict.NOT_MINE),
    };
  });
  return (
    <section className="stack-tight" aria-labelledby="seats">
      <h2 id="seats">Commitments and reveals</h2>
      <DataTable caption="Verifiers of the snapshot" rows={rows} columns={COLUMNS} rowId={(row) => row.verifier} />
    </section>
  );
}

const leafCount = (facts: EpochFacts): number =>
  facts.posted.args.head.entries.reduce((sum, { count }) => sum + count, 0);

const inBlock = (block: number | null): string => (block === null ? "not yet" : `block ${block}`);

function Said({ said, revealed }: { said: [number, Verdict][]; revealed: boolean }) {
  if (!revealed) return <span className="soft">–</span>;
  if (said.length === 0) return <span className="soft">no leaf was its</span>;
  return (
    <span className="row">
      {said.map(([leaf, verdict]) => (
        <Badge key={leaf} tone={TONES[verdict]}>
          leaf {leaf}: {VERDICT_WORDS[verdict]}
        </Badge>
      ))}
    </span>
  );
}
