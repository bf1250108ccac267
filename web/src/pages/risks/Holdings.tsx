import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { formatEther } from "viem";
import { type Holding, holdings } from "../../audit/accounting";
import { clientOf, useChain } from "../../chain/client";
import { useEventLog } from "../../chain/useEventLog";
import { viewsAt } from "../../chain/views";
import { Amount } from "../../ui/Amount";
import { Badge } from "../../ui/Badge";
import { ChainProblem } from "../../ui/ChainProblem";
import { type Column, DataTable } from "../../ui/DataTable";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";

/** Blocks that pass before the balances are read again. */
const BLOCKS_BETWEEN = 15;

const COLUMNS: Column<Holding>[] = [
  { header: "Contract", accessorFn: (row) => row.contract },
  {
    header: "Holds",
    accessorFn: (row) => row.balance,
    cell: ({ row }) => <Coins row={row.original} wei={row.original.balance} />,
  },
  {
    header: "Owes",
    accessorFn: (row) => row.owed ?? -1n,
    cell: ({ row: { original: row } }) =>
      row.owed === null ? <span className="soft">{row.why}</span> : <Coins row={row} wei={row.owed} />,
  },
  {
    header: "Says",
    accessorFn: (row) => (row.owed === null ? 1 : row.owed === row.balance ? 2 : 0),
    cell: ({ row: { original: row } }) => <Says row={row} />,
  },
  {
    header: "Of that",
    enableSorting: false,
    id: "parts",
    cell: ({ row: { original: row } }) =>
      row.parts.map(({ what, amount }) => (
        <span key={what} className="part">
          {what} <Coins row={row} wei={amount} />
        </span>
      )),
  },
];

/** What every contract holds and owes. */
export function Holdings() {
  const { data: log, error: logError, refetch: reread } = useEventLog();
  const network = useChain()?.network;
  const at = log && Math.floor(log.head.number / BLOCKS_BETWEEN);
  const { data, error, refetch } = useQuery({
    queryKey: ["holdings", network?.rpc, at],
    enabled: network !== undefined && log !== undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    queryFn: async () => {
      if (!network || !log) throw new Error("The chain is not known yet.");
      const client = clientOf(network);
      const blockNumber = BigInt(log.head.number);
      const native = (address: `0x${string}`) => client.getBalance({ address, blockNumber });
      const lines = await holdings({ view: viewsAt(client, network, log.head.number), native, network, log });
      return { lines, block: log.head.number };
    },
  });
  const failed = error ?? (log ? null : logError);
  if (failed) return <ChainProblem error={failed} onRetry={() => void (log ? refetch() : reread())} />;
  if (!data) return <Spinner label="Adding up what every contract owes" />;
  const wrong = data.lines.filter(({ balance, owed }) => owed !== null && owed !== balance);
  const untold = data.lines.filter(({ owed }) => owed === null);
  return (
    <>
      <Notice tone={wrong.length > 0 ? "bad" : untold.length > 0 ? "warn" : "good"}>
        <p>
          As of block {data.block}:{" "}
          {wrong.length > 0
            ? `${wrong.length} contracts do not hold what they owe.`
            : `${data.lines.length - untold.length} balances are exactly what is owed.`}
        </p>
      </Notice>
      <DataTable
        caption="What each contract holds and owes"
        rows={data.lines}
        columns={COLUMNS}
        rowId={(row) => `${row.contract} ${row.coin}`}
      />
    </>
  );
}

function Coins({ row, wei }: { row: Holding; wei: bigint }) {
  return row.coin === "MANY" ? <Amount wei={wei} /> : <span className="number">{formatEther(wei)} native</span>;
}

function Says({ row }: { row: Holding }) {
  if (row.owed === null) return <Badge tone="warn">? cannot tell</Badge>;
  return row.owed === row.balance ? <Badge tone="good">✓ agrees</Badge> : <Badge tone="bad">✗ disagrees</Badge>;
}
