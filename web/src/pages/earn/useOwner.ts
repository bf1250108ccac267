import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Address } from "viem";
import { api, ok, type Schema } from "../../api/client";
import { EPOCH_STATES } from "../../audit/facts";
import { clientOf, useChain } from "../../chain/client";
import type { EventLog } from "../../chain/log";
import { useEventLog } from "../../chain/useEventLog";
import { viewsAt } from "../../chain/views";
import type { Network } from "../../network/network";
import { type DeviceFacts, type DeviceView, joinDevices } from "./devices";
import { type Earnings, foldEarnings } from "./earnings";
import { unfinalEpochs } from "./pending";

const POLL_MS = 3_000;
const PAGE = 100;
const PAGES_MOST = 5;

/** All that the page shows of an owner: its money, its devices, what it holds; `now` is the chain's, Unix seconds. */
export type OwnerView = {
  owner: Address;
  earnings: Earnings;
  devices: DeviceView[];
  minimumStake: bigint;
  inWallet: bigint;
  now: number;
  log: EventLog;
  network: Network;
};

/**
 * What the chain and the market know of an owner. Where the market does not answer, `marketError` says so and the
 * chain's part is shown; `error` is the chain's.
 */
export function useOwner(owner: Address): OwnerQuery {
  const network = useChain()?.network;
  const log = useEventLog();
  const market = useMarketWord(owner);
  const bound = log.data?.named("StakeVault", "Bound", { owner }).map(({ args }) => args.device) ?? [];
  const known = market.data?.devices.map((device) => device.address as Address) ?? [];
  const facts = useFacts(owner, [...new Set([...bound, ...known])], unfinalEpochs(market.data?.earnings), log.data);
  const view = useMemo(
    () => network && log.data && facts.data && viewOf(network, log.data, facts.data, market.data),
    [network, log.data, facts.data, market.data],
  );
  return { view, error: log.error ?? facts.error, marketError: market.error, isStale: market.data !== undefined };
}

/** An owner's view; `isStale`: where the market fails, what it said before is still shown. */
type OwnerQuery = { view: OwnerView | undefined; error: Error | null; marketError: Error | null; isStale: boolean };

type Word = { devices: Schema<"OwnedDevice">[]; earnings: Schema<"OwnerEarnings"> };

function viewOf(network: Network, log: EventLog, facts: Facts, word: Word | undefined): OwnerView {
  const { owner, minimumStake, inWallet, credit } = facts;
  const place = { owner, escrow: network.addresses.JobEscrow, balance: credit };
  const addresses = facts.devices.map((device) => device.address);
  return {
    owner,
    earnings: foldEarnings(log, addresses, place, word?.earnings ?? null, facts.finals),
    devices: joinDevices(facts.devices, word?.devices ?? []),
    minimumStake,
    inWallet,
    now: log.head.timestamp,
    log,
    network,
  };
}

/** What the market says of an owner's devices and pay. */
function useMarketWord(owner: Address) {
  return useQuery({
    queryKey: ["market", "owner", owner],
    queryFn: async (): Promise<Word> => ({ devices: await allDevices(owner), earnings: await leavesOf(owner) }),
    refetchInterval: POLL_MS,
  });
}

const leavesOf = (owner: Address) =>
  ok(api.GET("/v1/owners/{address}/earnings", { params: { path: { address: owner }, query: { limit: PAGE } } }));

async function allDevices(owner: Address): Promise<Schema<"OwnedDevice">[]> {
  const found: Schema<"OwnedDevice">[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MOST; page++) {
    const query: { limit: number; cursor?: string } = cursor === null ? { limit: PAGE } : { limit: PAGE, cursor };
    const got: Schema<"OwnedDevices"> = await ok(
      api.GET("/v1/owners/{address}/devices", { params: { path: { address: owner }, query } }),
    );
    found.push(...got.devices);
    if (got.next === null) break;
    cursor = got.next;
  }
  return found;
}

/** What the contracts say now of an owner, its devices and epochs, read as of the log's newest block. */
function useFacts(owner: Address, devices: readonly Address[], epochs: readonly bigint[], log: EventLog | undefined) {
  const network = useChain()?.network;
  return useQuery({
    queryKey: ["chain", "owner", network?.chainId, owner, devices.join(), epochs.join(), log?.head.hash],
    enabled: Boolean(network && log),
    placeholderData: (before: Facts | undefined) => (before?.owner === owner ? before : undefined),
    staleTime: Infinity,
    gcTime: 10_000,
    queryFn: async (): Promise<Facts> => {
      if (!network || !log) throw new Error("The network is not known yet.");
      const view = viewsAt(clientOf(network), network, log.head.number);
      const [minimumStake, credit, inWallet, facts, states] = await Promise.all([
        view("StakeVault", "minimumStake", []),
        view("JobEscrow", "balanceOf", [owner]),
        view("MultitudeToken", "balanceOf", [owner]),
        Promise.all(devices.map((device) => view("StakeVault", "deviceOf", [device]))),
        Promise.all(epochs.map((epoch) => view("Attestations", "stateOf", [epoch]))),
      ]);
      return {
        owner,
        minimumStake,
        credit,
        inWallet,
        finals: new Set(epochs.filter((_, index) => EPOCH_STATES[states[index] ?? 0] === "final")),
        devices: facts.map((fact, index): DeviceFacts => ({ address: devices[index] as Address, ...fact })),
      };
    },
  });
}

type Facts = {
  owner: Address;
  minimumStake: bigint;
  credit: bigint;
  inWallet: bigint;
  finals: ReadonlySet<bigint>;
  devices: DeviceFacts[];
};
