/**
 * What every contract holds beside what it records as owed, by views for whomever its events name (as chain/accounting.py).
 * Calls are bounded: where the events name too many, the contract is said not to be checked.
 */
import type { EventLog } from "../chain/log";
import type { View } from "../chain/views";
import type { ContractName, Network } from "../network/network";
import { type Address, type Hex, ZERO_ADDRESS } from "../protocol";

/** The most views that one contract's obligations may take in a page. */
export const CALLS_MAX = 2_000;

/** A contract's balance and what it owes, wei of its coin; `owed` null where it was not checked, `why` says so. */
export type Holding = {
  readonly contract: ContractName;
  readonly coin: "MANY" | "native";
  readonly balance: bigint;
  readonly owed: bigint | null;
  readonly parts: readonly { readonly what: string; readonly amount: bigint }[];
  readonly why: string;
};

/** Views and balances as of one block. */
export type Books = {
  readonly view: View;
  readonly native: (address: Address) => Promise<bigint>;
  readonly network: Network;
  readonly log: EventLog;
};

type Part = { what: string; amount: bigint };

/** Contracts that never hold a token. */
const WITHOUT_TOKENS: readonly ContractName[] = [
  "EpochLedger",
  "Attestations",
  "Panel",
  "ProgramRegistry",
  "BlockBeacon",
];

class TooMany extends Error {
  override name = "TooMany";
}

/** Every contract's balances and obligations. */
export async function holdings(books: Books): Promise<Holding[]> {
  const { view, network } = books;
  const tokens = (contract: ContractName) => view("MultitudeToken", "balanceOf", [network.addresses[contract]]);
  const token = (contract: ContractName, owes: (books: Books) => Promise<Part[]>) =>
    holding(contract, "MANY", tokens(contract), owes(books));
  const nothing = Promise.resolve<Part[]>([]);
  const [supply, total] = await Promise.all([
    view("MultitudeToken", "SUPPLY", []),
    view("MultitudeToken", "totalSupply", []),
  ]);
  return Promise.all([
    token("JobEscrow", escrowOwes),
    token("StakeVault", vaultOwes),
    token("Seats", seatsOwe),
    ...WITHOUT_TOKENS.map((contract) => holding(contract, "MANY", tokens(contract), nothing)),
    holding("Panel", "native", books.native(network.addresses.Panel), panelOwes(books)),
    holding("MultitudeToken", "MANY", Promise.resolve(supply - total), Promise.resolve([burned(books.log)])),
  ]);
}

async function holding(
  contract: ContractName,
  coin: "MANY" | "native",
  balance: Promise<bigint>,
  owes: Promise<Part[]>,
): Promise<Holding> {
  const held = await balance;
  try {
    const parts = await owes;
    return { contract, coin, balance: held, owed: parts.reduce((sum, { amount }) => sum + amount, 0n), parts, why: "" };
  } catch (error) {
    if (!(error instanceof TooMany)) throw error;
    return { contract, coin, balance: held, owed: null, parts: [], why: error.message };
  }
}

async function summed<Key>(what: string, keys: Iterable<Key>, read: (key: Key) => Promise<bigint>): Promise<Part> {
  const all = [...new Set(keys)];
  if (all.length > CALLS_MAX)
    throw new TooMany(`not checked here: ${all.length} accounts or jobs, multitude audit status does`);
  const amounts = await Promise.all(all.map(read));
  return { what, amount: amounts.reduce((sum, amount) => sum + amount, 0n) };
}

async function escrowOwes({ view, log }: Books): Promise<Part[]> {
  const jobs = log.named("JobEscrow", "JobOpened");
  const settled = log.named("JobEscrow", "JobSettled");
  const accounts: Address[] = [
    ...log.named("JobEscrow", "Deposited").map(({ args }) => args.buyer),
    ...jobs.map(({ args }) => args.buyer),
    ...settled.flatMap(({ args }) => args.accounts),
  ];
  const ids = jobs.map(({ args }) => args.jobId);
  return Promise.all([
    summed("balances of accounts", accounts, (account) => view("JobEscrow", "balanceOf", [account])),
    summed("budgets of jobs", ids, async (jobId: Hex) => {
      const job = await view("JobEscrow", "jobOf", [jobId]);
      return job.available + job.debited;
    }),
  ]);
}

async function vaultOwes({ view, log }: Books): Promise<Part[]> {
  const devices = log.named("StakeVault", "Bound").map(({ args }) => args.device);
  return [
    await summed("stake of devices, unbonding too", devices, async (device) => {
      const record = await view("StakeVault", "deviceOf", [device]);
      return record.stake + record.unbonding;
    }),
  ];
}

async function seatsOwe({ view, log }: Books): Promise<Part[]> {
  const stake = await view("Seats", "seatStake", []);
  const verifiers = log.named("Seats", "SeatsJoined").map(({ args }) => args.verifier);
  const settlers = log.named("Seats", "BondDeposited").map(({ args }) => args.settler);
  const accounts = log.named("Seats", "Credited").map(({ args }) => args.account);
  return Promise.all([
    summed("stake of seats", verifiers, async (verifier) => {
      const record = await view("Seats", "verifierOf", [verifier]);
      return BigInt(record.seats) * stake + record.unbonding;
    }),
    summed("settlers' bonds", settlers, async (settler) => {
      const record = await view("Seats", "settlerOf", [settler]);
      return record.bond + record.unbonding;
    }),
    summed("shares of slashes and bonds", accounts, (account) => view("Seats", "earned", [account])),
  ]);
}

async function panelOwes({ view, log }: Books): Promise<Part[]> {
  const resolved = new Set(log.named("Panel", "ChallengeResolved").map(({ args }) => args.gameId));
  const open = log.named("Panel", "ChallengeOpened").filter(({ args }) => !resolved.has(args.gameId));
  const accounts = log.named("Panel", "Owed").map(({ args }) => args.account);
  const bond = await view("Panel", "challengeBond", []);
  return Promise.all([
    summed("bonds and pay to be taken out", accounts, (account) => view("Panel", "owed", [account])),
    summed("bonds of open games", open, async ({ args }) => {
      const game = await view("Panel", "gameOf", [args.gameId]);
      return (game.seatBond ? 0n : bond) + (game.appellant === ZERO_ADDRESS ? 0n : 2n * bond);
    }),
  ]);
}

function burned(log: EventLog): Part {
  const gone = log.named("MultitudeToken", "Transfer").filter(({ args }) => BigInt(args.to) === 0n);
  return { what: "burned by slashes", amount: gone.reduce((sum, { args }) => sum + args.value, 0n) };
}
