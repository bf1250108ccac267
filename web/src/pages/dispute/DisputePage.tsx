import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useParams } from "wouter";
import { clockBlocks, type Dispute, disputesOf } from "../../audit/disputes";
import { GAME_STATES } from "../../audit/facts";
import { clientOf, useChain } from "../../chain/client";
import type { EventLog } from "../../chain/log";
import { blockRef } from "../../chain/reader";
import { useEventLog } from "../../chain/useEventLog";
import { viewsAt } from "../../chain/views";
import type { Address } from "../../protocol";
import { Notice } from "../../ui/Notice";
import { Spinner } from "../../ui/Spinner";
import { ChainProblem } from "../../ui/ChainProblem";
import { DisputeOutcome, DisputeParties } from "./DisputeParties";
import { DisputeRounds } from "./DisputeRounds";

/** One challenge and its panel as they stand on the chain. */
export default function DisputePage() {
  const { game } = useParams<{ game: string }>();
  const { data: log, error, refetch, dataUpdatedAt } = useEventLog();
  const dispute = useMemo(
    () => log && disputesOf(log).find(({ gameId }) => gameId === game.toLowerCase()),
    [log, game],
  );
  return (
    <div className="stack">
      <p className="small">
        <Link href="/audit">Audit</Link>
      </p>
      <h1>Dispute</h1>
      {error && !log ? <ChainProblem error={error} onRetry={() => void refetch()} /> : null}
      {!log && !error ? <Spinner label="Reading the chain" /> : null}
      {log && !dispute ? (
        <Notice tone="warn" title="There is no such dispute on this chain">
          <p>
            <Link href="/audit">All disputes</Link>
          </p>
        </Notice>
      ) : null}
      {log && dispute ? <Told dispute={dispute} log={log} readAtMs={dataUpdatedAt} /> : null}
    </div>
  );
}

function Told({ dispute, log, readAtMs }: { dispute: Dispute; log: EventLog; readAtMs: number }) {
  const { data: standing } = useStanding(dispute, log);
  return (
    <>
      <Notice tone="info" title="The panel judges">
        <p>
          Three seats of verifiers other than the opener&apos;s (six on appeal) run the task again and vote. The game
          that bisects a run on the chain down to one instruction does not exist yet, so until then the panel judges
          both classes of programs: a verdict rests on two thirds of honest seats.
        </p>
      </Notice>
      <DisputeParties dispute={dispute} state={standing?.state} bond={standing?.bond} />
      <DisputeRounds dispute={dispute} standing={standing} log={log} readAtMs={readAtMs} />
      <DisputeOutcome dispute={dispute} />
    </>
  );
}

/** What the panel's views say of a game: its state, the drawn seats of its present ballot, the bond, times of blocks. */
function useStanding(dispute: Dispute, log: EventLog) {
  const network = useChain()?.network;
  return useQuery({
    queryKey: ["dispute", dispute.gameId, log.head.hash],
    enabled: network !== undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    queryFn: async () => {
      if (!network) throw new Error("The network is not known yet.");
      const client = clientOf(network);
      const view = viewsAt(client, network, log.head.number);
      const [state, bond] = await Promise.all([
        view("Panel", "stateOf", [dispute.gameId]),
        view("Panel", "challengeBond", []),
      ]);
      const blocks = [...new Set(dispute.rounds.flatMap(clockBlocks))];
      const times = await Promise.all(
        blocks.map(async (block): Promise<[number, number]> => [block, (await blockRef(client, block)).timestamp]),
      );
      // The contract draws seats only once the beacon's round is there, and reverts before.
      const beacon = dispute.rounds.at(-1)?.beaconRound ?? Infinity;
      const drawn = log.head.number > beacon ? await view("Panel", "panelSeats", [dispute.gameId]) : [];
      return {
        state: GAME_STATES[state] ?? ("none" as const),
        bond,
        seats: drawn as readonly Address[],
        times: new Map(times),
      };
    },
  });
}

/** What `useStanding` answers. */
export type DisputeStanding = NonNullable<ReturnType<typeof useStanding>["data"]>;
