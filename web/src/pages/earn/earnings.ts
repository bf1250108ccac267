import type { Address, Hex } from "viem";
import type { EventLog, Place as ChainPlace } from "../../chain/log";
import { atLeastNone, foldPending, type MarketWord } from "./pending";

/** What an amount is, in the words of docs/contributors.md. */
export type Kind =
  "pending" | "due" | "paid" | "bonded" | "deducted" | "withdrawn" | "slashed" | "voided" | "staked" | "unstaked";

/** One amount in wei with where it can be looked up. `device` is null for the owner's own movements. */
export type Item = {
  kind: Kind;
  device: Address | null;
  wei: bigint;
  tx: Hex | null;
  epoch: bigint | null;
  note?: string;
};

/**
 * An owner's money in wei. What was claimed = deducted + bonded + paid, and paid = credited + withdrawn.
 *
 * `accepted` (posted nowhere yet), `posted` (not final) and `due` (final, not claimed) are whole amounts, and the
 * market's word; the rest is the chain's. `credited` lies in the escrow for the owner.
 */
export type Earnings = {
  accepted: bigint;
  posted: bigint;
  due: bigint;
  earned: bigint;
  deducted: bigint;
  bonded: bigint;
  paid: bigint;
  credited: bigint;
  withdrawn: bigint;
  voided: bigint;
  slashed: bigint;
  items: Item[];
};

/** Where the tokens are: the owner, the escrow's address, and the owner's balance in it. */
export type Place = { owner: Address; escrow: Address; balance: bigint };

/**
 * Folds the chain's events and the market's word (null: it does not answer) into an owner's money; `finals` are epochs
 * that are final on the chain, though the market may not have seen it.
 */
export function foldEarnings(
  log: EventLog,
  devices: readonly Address[],
  place: Place,
  word: MarketWord | null,
  finals: ReadonlySet<bigint> = new Set(),
): Earnings {
  const mine = new Set<string>(devices);
  const claims = log.named("EpochLedger", "Claimed").filter(({ args }) => mine.has(args.device));
  const total = (part: "amount" | "deduction" | "bonded" | "paid") =>
    claims.reduce((sum, { args }) => sum + args.money[part], 0n);
  const voids = log.named("EpochLedger", "LeafVoided").filter(({ args }) => mine.has(args.device));
  const convictions = log.named("StakeVault", "Convicted").filter(({ args }) => mine.has(args.device));
  const { credit, taken } = foldCredit(log, mine, place);
  const credited = least(credit, place.balance);
  const pending = foldPending(log, word, finals);
  return {
    ...pending.sums,
    earned: total("amount"),
    deducted: total("deduction"),
    bonded: total("bonded"),
    paid: total("paid"),
    credited,
    withdrawn: total("paid") - credited,
    voided: voids.reduce((sum, { args }) => sum + args.debit, 0n),
    slashed: convictions.reduce((sum, { args }) => sum + args.slashed, 0n),
    items: [...pending.items, ...chainItems(log, mine), ...taken],
  };
}

/** Whether what was claimed went somewhere, to the wei. */
export const addsUp = (found: Earnings): boolean =>
  found.earned === found.deducted + found.bonded + found.paid && found.paid === found.credited + found.withdrawn;

const least = (one: bigint, other: bigint) => (one < other ? one : other);

/** Something that an event did, with its place in the chain. */
type Step<T> = { event: ChainPlace; does: T };

const inOrder = <T>(steps: Step<T>[]): Step<T>[] =>
  steps.sort((one, other) => one.event.block - other.event.block || one.event.logIndex - other.event.logIndex);

/** What happened to the devices' money, newest first. */
function chainItems(log: EventLog, mine: ReadonlySet<string>): Item[] {
  const steps: Step<Item>[] = [];
  const note = (
    event: ChainPlace & { tx: Hex },
    kind: Kind,
    device: Address,
    wei: bigint,
    epoch: bigint | null = null,
  ) => {
    if (wei > 0n && mine.has(device)) steps.push({ event, does: { kind, device, wei, tx: event.tx, epoch } });
  };
  for (const event of log.named("EpochLedger", "Claimed")) {
    const { device, epochId, money } = event.args;
    note(event, "deducted", device, money.deduction, epochId);
    note(event, "bonded", device, money.bonded, epochId);
    note(event, "paid", device, money.paid, epochId);
  }
  for (const event of log.named("EpochLedger", "LeafVoided"))
    note(event, "voided", event.args.device, event.args.debit, event.args.epochId);
  for (const event of log.named("StakeVault", "Convicted"))
    note(event, "slashed", event.args.device, event.args.slashed);
  for (const event of log.named("StakeVault", "Staked")) note(event, "staked", event.args.device, event.args.amount);
  for (const event of log.named("StakeVault", "Unstaked"))
    note(event, "unstaked", event.args.device, event.args.amount);
  return inOrder(steps)
    .map((step) => step.does)
    .reverse();
}

/**
 * What claims credited to the owner and it did not take out, and what it took out or was sent, newest first. The
 * balance may hold what the owner deposited as a buyer too: what it takes out comes from what it earned first.
 */
function foldCredit(log: EventLog, mine: ReadonlySet<string>, place: Place): { credit: bigint; taken: Item[] } {
  const claims = log.named("EpochLedger", "Claimed");
  const claimed = new Set(claims.map((event) => event.tx));
  const steps: Step<() => void>[] = [];
  let credit = 0n;
  const taken: Item[] = [];
  const take = (wei: bigint, tx: Hex, note: string) => {
    if (wei <= 0n) return;
    credit -= wei;
    taken.push({ kind: "withdrawn", device: null, wei, tx, epoch: null, note });
  };
  for (const event of claims) {
    if (mine.has(event.args.device)) steps.push({ event, does: () => (credit += event.args.money.paid) });
  }
  for (const event of log.named("JobEscrow", "Withdrawn", { account: place.owner }))
    steps.push({ event, does: () => take(least(credit, event.args.amount), event.tx, "out of the owner's balance") });
  for (const event of log.named("MultitudeToken", "Transfer", { from: place.escrow, to: place.owner })) {
    if (claimed.has(event.tx))
      steps.push({ event, does: () => take(event.args.value, event.tx, "sent by the claim itself") });
  }
  inOrder(steps).forEach((step) => step.does());
  return { credit: atLeastNone(credit), taken: taken.reverse() };
}
