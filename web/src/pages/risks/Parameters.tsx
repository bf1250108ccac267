import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { formatEther } from "viem";
import { useChain } from "../../chain/client";
import { useEventLog } from "../../chain/useEventLog";
import { Amount, Work } from "../../ui/Amount";
import { ChainProblem } from "../../ui/ChainProblem";
import { Hash } from "../../ui/Hash";
import { duration, percent } from "../../ui/numbers";
import { Spinner } from "../../ui/Spinner";
import { readParameters } from "./parameters";
import { Wiring } from "./Wiring";

type Read = Awaited<ReturnType<typeof readParameters>>;

type Fact = readonly [name: string, value: ReactNode];

const POLL_MS = 30_000;

/** What the contracts say of their parameters, their references, who holds the seats, and this market's settler. */
export function Parameters() {
  const network = useChain()?.network;
  const { data: log, error: logError, refetch: reread } = useEventLog();
  const snapshot = log?.named("Seats", "SnapshotTaken").at(-1)?.args.snapshot;
  const { data, error, refetch } = useQuery({
    queryKey: ["parameters", network?.rpc, snapshot],
    enabled: network !== undefined && log !== undefined,
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    queryFn: async () => {
      if (!network) throw new Error("The network is not known yet.");
      return readParameters(network, snapshot);
    },
  });
  const failed = error ?? (log ? null : logError);
  if (failed) return <ChainProblem error={failed} onRetry={() => void (log ? refetch() : reread())} />;
  if (!data || !network) return <Spinner label="Asking the contracts" />;
  return (
    <>
      <div className="columns">
        <Facts title="Clocks" facts={clockFacts(data)} />
        <div className="stack">
          <Facts title="Money and bounds" facts={moneyFacts(data)} />
          <Facts title="Fixed in the sources, not read" facts={SOURCES} />
        </div>
        <div className="stack">
          <Facts title="Who holds the seats" facts={seatFacts(data)} />
          <Facts title="This market's settler" facts={settlerFacts(data, network.settler)} />
        </div>
      </div>
      <Wiring references={data.references} addresses={network.addresses} />
    </>
  );
}

function Facts({ title, facts }: { title: string; facts: readonly Fact[] }) {
  return (
    <section className="card stack-tight" aria-label={title}>
      <h3>{title}</h3>
      <dl className="lines">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const clockFacts = ({ clocks }: Read): Fact[] => [
  ["Seed: block after the posting", clocks.delay],
  ["A seed must come within", duration(clocks.seed)],
  ["Verifiers commit", duration(clocks.commit)],
  ["Verifiers reveal", duration(clocks.reveal)],
  ["Window for challenges", duration(clocks.window)],
  ["Claims after the window", duration(clocks.claim)],
  ["A panel is drawn within", duration(clocks.panelDraw)],
  ["A panel commits, reveals", `${duration(clocks.panelCommit)}, ${duration(clocks.panelReveal)}`],
  ["Appeal", duration(clocks.panelAppeal)],
  ["Before others may post", duration(clocks.grace)],
  ["Seats count from the next", duration(clocks.period)],
  ["Seats, stake unbond for", `${duration(clocks.seatUnbonding)}, ${duration(clocks.stakeUnbonding)}`],
];

const moneyFacts = ({ money }: Read): Fact[] => [
  ["Fee cap", money.feeCapPpm === null ? "could not be told" : `${percent(money.feeCapPpm)} of pay`],
  ["Tokens", <Amount key="supply" wei={money.supply} />],
  ["Least stake of a dispute", <Amount key="minimum" wei={money.minimumStake} />],
  ["Stake of a seat", <Amount key="seat" wei={money.seatStake} />],
  ["Bond of an epoch", <Amount key="bond" wei={money.epochBond} />],
  ["Bond of a challenge", `${formatEther(money.challengeBond)} native coin`],
  ["Most replayed of a receipt", <Work key="replay" wu={money.mostReplayed} />],
];

const SOURCES: readonly Fact[] = [
  ["Seats for a receipt", "1, for a tenth 2"],
  ["Seats for a redraw, a panel", "3, 3"],
  ["Seats for an appeal", "6"],
  ["Paid of a slash", "1/4, the rest burns"],
  ["New tokens", "none"],
];

const seatFacts = ({ holders }: Read): Fact[] => [
  ["Seats", holders.seats],
  ["Verifiers", holders.verifiers],
  ["Owners", holders.owners],
  ["The largest owner has", `${holders.most} of ${holders.seats}`],
];

const settlerFacts = ({ settler }: Read, address: string): Fact[] => [
  ["Address", <Hash key="address" value={address} name="settler's address" />],
  ["Bond", <Amount key="bond" wei={settler.bond} />],
  ["Locked in epochs", <Amount key="locked" wei={settler.locked} />],
  ["Leaving, still slashable", <Amount key="unbonding" wei={settler.unbonding} />],
  ["Fee of new jobs", percent(settler.feePpm)],
];
