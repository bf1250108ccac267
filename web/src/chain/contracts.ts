import type {
  ContractEventName,
  ContractFunctionArgs,
  ContractFunctionName,
  ContractFunctionReturnType,
  DecodeEventLogReturnType,
} from "viem";
import { Attestations } from "../generated/Attestations";
import { BlockBeacon } from "../generated/BlockBeacon";
import { EpochLedger } from "../generated/EpochLedger";
import { Faucet } from "../generated/Faucet";
import { JobEscrow } from "../generated/JobEscrow";
import { MultitudeToken } from "../generated/MultitudeToken";
import { Panel } from "../generated/Panel";
import { ProgramRegistry } from "../generated/ProgramRegistry";
import { Seats } from "../generated/Seats";
import { StakeVault } from "../generated/StakeVault";
import type { ContractName } from "../network/network";

/** The contracts' ABIs by name. */
export const ABIS = {
  Attestations,
  BlockBeacon,
  EpochLedger,
  Faucet,
  JobEscrow,
  MultitudeToken,
  Panel,
  ProgramRegistry,
  Seats,
  StakeVault,
} as const satisfies Record<ContractName, unknown>;

type Abis = typeof ABIS;

/** The events of a contract by name. */
export type EventName<C extends ContractName> = ContractEventName<Abis[C]>;

/** The arguments of a contract's event: checksummed addresses, lower-case hex, integers above 48 bits as bigint. */
export type EventArgs<C extends ContractName, N extends EventName<C>> = DecodeEventLogReturnType<Abis[C], N>["args"];

/** The functions of a contract that read. */
export type ViewName<C extends ContractName> = ContractFunctionName<Abis[C], "view" | "pure">;

/** The arguments of a view. */
export type ViewArgs<C extends ContractName, F extends ViewName<C>> = ContractFunctionArgs<Abis[C], "view" | "pure", F>;

/** What a view returns. */
export type ViewResult<C extends ContractName, F extends ViewName<C>> = ContractFunctionReturnType<
  Abis[C],
  "view" | "pure",
  F
>;
