import { keepPreviousData, useQuery } from "@tanstack/react-query";
import type { EpochClock, EpochState } from "./facts";
import { readState } from "./reader";
import { clientOf, useChain } from "../chain/client";
import type { EventLog } from "../chain/log";
import { viewsAt } from "../chain/views";

/** An epoch's state with its clocks. */
export type Standing = { state: EpochState; clock: EpochClock };

/** The most epochs whose state is asked for at once; older ones are asked for when they are opened. */
export const STATES_MAX = 200;

/** States that no clock ends. */
export const isSettled = (state: EpochState): boolean => state === "final" || state === "void";

/** The states of these epochs as of the log's newest block. Those that were final deep in the chain are not asked again. */
export function useEpochStates(log: EventLog | undefined, ids: readonly bigint[]) {
  const network = useChain()?.network;
  return useQuery({
    queryKey: ["epoch-states", network?.rpc, log?.head.hash, ids.length],
    enabled: network !== undefined && log !== undefined,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    queryFn: async () => {
      if (!network || !log) throw new Error("The chain is not known yet.");
      const view = viewsAt(clientOf(network), network, log.head.number);
      const known = settledOf(`${network.rpc} ${network.addresses.EpochLedger}`);
      const read = async (id: bigint): Promise<[bigint, Standing]> => {
        const standing = known.get(id) ?? (await readState(view, id));
        if (
          isSettled(standing.state) &&
          (log.first("EpochLedger", "Posted", { epochId: id })?.block ?? 0) + DEEP < log.head.number
        )
          known.set(id, standing);
        return [id, standing];
      };
      return new Map(await Promise.all(ids.slice(0, STATES_MAX).map(read)));
    },
  });
}

/** So many blocks after its posting a settled epoch is taken to stay so. */
const DEEP = 64;

const settled = new Map<string, Map<bigint, Standing>>();

function settledOf(network: string): Map<bigint, Standing> {
  const found = settled.get(network) ?? new Map<bigint, Standing>();
  settled.set(network, found);
  return found;
}
