/** The contracts' parameters, references and seats, read from the chain. */
import { BaseError, ContractFunctionRevertedError } from "viem";
import { clientOf } from "../../chain/client";
import { readClocks } from "../../chain/clocks";
import { ABIS } from "../../chain/contracts";
import { type View, viewsAt } from "../../chain/views";
import type { ContractName, Network } from "../../network/network";
import { holdersOf } from "./holders";

const REFERENCES: readonly (readonly [contract: ContractName, view: string, to: ContractName])[] = [
  ["EpochLedger", "escrow", "JobEscrow"],
  ["EpochLedger", "attestations", "Attestations"],
  ["EpochLedger", "vault", "StakeVault"],
  ["EpochLedger", "seats", "Seats"],
  ["EpochLedger", "disputes", "Panel"],
  ["JobEscrow", "ledger", "EpochLedger"],
  ["JobEscrow", "token", "MultitudeToken"],
  ["JobEscrow", "programs", "ProgramRegistry"],
  ["StakeVault", "panel", "Panel"],
  ["StakeVault", "ledger", "EpochLedger"],
  ["StakeVault", "token", "MultitudeToken"],
  ["Seats", "panel", "Panel"],
  ["Seats", "ledger", "EpochLedger"],
  ["Attestations", "beacon", "BlockBeacon"],
  ["Panel", "beacon", "BlockBeacon"],
];

/** Everything that the page shows of parameters; `snapshot` is the newest of the seats, undefined while there is none. */
export async function readParameters(network: Network, snapshot: number | undefined) {
  const view = viewsAt(clientOf(network), network);
  const [clocks, grace, period, seatUnbonding, stakeUnbonding, delay] = await Promise.all([
    readClocks(network),
    view("JobEscrow", "postingGrace_s", []),
    view("Seats", "seatPeriod_s", []),
    view("Seats", "unbonding_s", []),
    view("StakeVault", "unbonding_s", []),
    view("BlockBeacon", "delay_blocks", []),
  ]);
  const [challengeBond, seatStake, epochBond, minimumStake, mostReplayed, supply, feeCapPpm] = await Promise.all([
    view("Panel", "challengeBond", []),
    view("Seats", "seatStake", []),
    view("Seats", "epochBond", []),
    view("StakeVault", "minimumStake", []),
    view("EpochLedger", "maxReplayWU", []),
    view("MultitudeToken", "totalSupply", []),
    readFeeCap(network),
  ]);
  const [settler, seats, references] = await Promise.all([
    view("Seats", "settlerOf", [network.settler]),
    snapshot === undefined ? [] : view("Seats", "seatsIn", [snapshot]),
    Promise.all(REFERENCES.map((reference) => follow(view, network, ...reference))),
  ]);
  return {
    clocks: {
      ...clocks,
      grace: Number(grace),
      period: Number(period),
      seatUnbonding: Number(seatUnbonding),
      stakeUnbonding: Number(stakeUnbonding),
      delay: Number(delay),
    },
    money: { challengeBond, seatStake, epochBond, minimumStake, mostReplayed, supply, feeCapPpm },
    settler,
    holders: holdersOf(seats),
    references,
  };
}

async function follow(view: View, network: Network, contract: ContractName, name: string, to: ContractName) {
  const at = await (view as (contract: ContractName, name: string, args: []) => Promise<unknown>)(contract, name, []);
  return { name: `${contract}.${name}`, to, holds: at === network.addresses[to] };
}

/** The highest fee in ppm, out of the words with which the contract refuses a higher one; null where it does not refuse. */
async function readFeeCap(network: Network): Promise<number | null> {
  const most = 2 ** 24 - 1;
  try {
    await clientOf(network).simulateContract({
      address: network.addresses.Seats,
      abi: ABIS.Seats,
      functionName: "depositBond",
      args: [0n, most],
      account: network.settler,
    });
    return null;
  } catch (error) {
    const reverted =
      error instanceof BaseError ? error.walk((cause) => cause instanceof ContractFunctionRevertedError) : null;
    if (!(reverted instanceof ContractFunctionRevertedError)) throw error;
    return reverted.data?.errorName === "Seats_FeeTooHigh" ? Number(reverted.data.args?.[1]) : null;
  }
}
