import { tokens } from "../ui/numbers";

/** A custom error of our contracts as viem decodes it. */
export type Reason = { name: string; args: readonly unknown[] };

type Sentence = (...args: never[]) => string;

const many = (wei: bigint) => `${tokens(wei)} MANY`;
const time = (seconds: bigint | number) => new Date(Number(seconds) * 1000).toLocaleString("en-GB");

/** What each refusal means for the person who sent the call; what is not here is told by its name. */
const SENTENCES: Record<string, Sentence> = {
  ERC20InsufficientBalance: (_sender: string, got: bigint, needed: bigint) =>
    `The account holds ${many(got)} and ${many(needed)} are needed.`,
  ERC20InsufficientAllowance: (_spender: string, got: bigint, needed: bigint) =>
    `The account allows ${many(got)} to be taken and ${many(needed)} are needed.`,
  ERC2612ExpiredSignature: () => "The signed permit is too old.",
  ERC2612InvalidSigner: () => "The permit is not signed by this account.",
  InvalidAccountNonce: () => "The permit was used already.",
  Faucet_TooSoon: (_now: bigint, from: bigint) => `The faucet gives to this account again at ${time(from)}.`,
  JobEscrow_BalanceTooLow: (got: bigint, needed: bigint) =>
    `Of the deposit ${many(got)} are free and ${many(needed)} are needed.`,
  JobEscrow_AllowanceTooLow: (got: bigint, needed: bigint) =>
    `The escrow may take ${many(got)} from the account and the deposit is ${many(needed)}.`,
  JobEscrow_AlreadyOpened: () => "A job of this bid was opened before.",
  JobEscrow_BadSignature: () => "The bid is not signed by its buyer.",
  JobEscrow_UnknownProgram: () => "The bid's program is not registered.",
  JobEscrow_DeadlinePassed: () => "The bid's deadline has passed.",
  JobEscrow_NotBonded: () => "The settler's bond does not cover an epoch.",
  JobEscrow_WrongPhase: (phase: number) =>
    phase === 0 ? "There is no such job on the chain." : "The job is closing or closed already.",
  JobEscrow_NotBuyer: () => "Only the buyer may cancel this job.",
  JobEscrow_TooSoon: (_now: bigint, from: number) => `The job can be closed from ${time(from)} on.`,
  JobEscrow_FeeTooHigh: (got: number, most: number) => `A fee of ${got} ppm is above the most, ${most} ppm.`,
  StakeVault_AlreadyBound: (_device: string, owner: string) => `This device belongs to ${owner}, for good.`,
  StakeVault_BadSignature: (signer: string) => `The binding is not signed by ${signer}.`,
  StakeVault_NotBound: () => "This device belongs to nobody yet: bind it to its owner first.",
  StakeVault_NotOwner: (_caller: string, owner: string) => `Only the device's owner ${owner} may do this.`,
  StakeVault_Convicted: () => "This device was convicted: it takes no stake any more.",
  StakeVault_StakeTooLow: (got: bigint, needed: bigint) => `The device's stake is ${many(got)}, not ${many(needed)}.`,
  StakeVault_TooSoon: (_now: bigint, from: number) => `The stake can be withdrawn from ${time(from)} on.`,
  StakeVault_NothingUnbonding: () => "No stake of this device is unbonding.",
  StakeVault_GameOpen: () => "A dispute about this device is open: its stake stays until that is decided.",
  Seats_TooSoon: (_now: bigint, from: number) => `It can be withdrawn from ${time(from)} on.`,
  Seats_NothingUnbonding: () => "Nothing of this account is unbonding.",
  EpochLedger_WrongState: () => "The epoch is not in the state that this needs; it may just have moved on.",
  EpochLedger_NothingLeft: () => "Everything in it is settled already.",
  EpochLedger_LeafSettled: () => "This was claimed, voided or returned before.",
  EpochLedger_LeafVoid: () => "This work is void: its challenge was not decided.",
  EpochLedger_DeviceConvicted: () => "The device was convicted: its unclaimed work is not paid.",
  EpochLedger_GameOpen: () => "A dispute about the device is open: it can be claimed once that is decided.",
  EpochLedger_TooEarly: (from: bigint) => `This can be done from ${time(from)} on.`,
  Attestations_LeafNotAttested: () => "The drawn seats have not attested this work.",
  Panel_OutsideWindow: () => "The epoch is not in its window: it cannot be challenged now.",
  Panel_LeafSettled: () => "This was claimed, voided or returned before.",
  Panel_DeviceConvicted: () => "The device is convicted already.",
  Panel_StakeTooLow: () => "The device has too little stake to pay for a dispute.",
  Panel_BondMismatch: () => "The bond is not what a challenge needs.",
  Panel_GameExists: () => "This account has accused this task before.",
  Panel_WrongState: () => "The dispute is not in the state that this needs; it may just have moved on.",
  Panel_AlreadyAppealed: () => "The dispute was appealed before.",
  Panel_TooFewSeats: () => "There are not enough seats for an appeal.",
  Panel_NothingPaid: () => "Nothing is owed to this account.",
  Ballot_WrongPhase: () => "The vote is in another phase now.",
  ProgramRegistry_AlreadyRegistered: () => "The program is registered already.",
};

/** One sentence for why a contract refused. */
export function sentenceOf({ name, args }: Reason): string {
  const sentence = SENTENCES[name];
  if (sentence) return (sentence as (...args: readonly unknown[]) => string)(...args);
  const told = args.map(String).join(", ");
  return `The contract refused: ${name}${told ? ` (${told})` : ""}.`;
}

/** The names that have a sentence of their own. */
export const KNOWN_REASONS: readonly string[] = Object.keys(SENTENCES);
