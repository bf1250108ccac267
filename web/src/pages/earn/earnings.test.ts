import type { Address, Hex } from "viem";
import { expect, test } from "vitest";
import { type ChainEvent, EventLog } from "../../chain/log";
import { addsUp, foldEarnings } from "./earnings";
import { type MarketWord, unfinalEpochs } from "./pending";

const address = (n: number) => `0x${n.toString(16).padStart(40, "0")}` as Address;
const hash = (n: number) => `0x${n.toString(16).padStart(64, "0")}` as Hex;
const [OWNER, ESCROW, ONE, TWO, STRANGER] = [1, 2, 3, 4, 5].map(address) as [
  Address,
  Address,
  Address,
  Address,
  Address,
];
const HEAD = { number: 100, hash: hash(100), timestamp: 0 };

let block = 0;
const event = (contract: string, name: string, args: object, tx = hash(++block)) =>
  ({ contract, name, args, block: Number(BigInt(tx)), logIndex: ++block, tx }) as unknown as ChainEvent;
const money = (paid: bigint, bonded = 0n, deduction = 0n) => ({
  amount: paid + bonded + deduction,
  fee: 1n,
  surcharge: 1n,
  deduction,
  paid,
  bonded,
});
const claimed = (device: Address, epochId: bigint, what: ReturnType<typeof money>, tx?: Hex) =>
  event("EpochLedger", "Claimed", { device, epochId, receiptDigest: hash(Number(epochId)), money: what }, tx);
const withdrawn = (account: Address, amount: bigint) => event("JobEscrow", "Withdrawn", { account, amount });
const fold = (events: ChainEvent[], balance = 10n ** 30n, word: MarketWord | null = null, finals: bigint[] = []) =>
  foldEarnings(
    new EventLog(events, HEAD),
    [ONE, TWO],
    { owner: OWNER, escrow: ESCROW, balance },
    word,
    new Set(finals),
  );

const leaf = (epoch: number, amountWei: string, changes: Partial<MarketWord["leaves"][number]> = {}) =>
  ({
    epoch,
    epochState: "window",
    state: "committed",
    device: ONE,
    receiptDigest: hash(epoch),
    amountWei,
    attested: true,
    postTx: hash(77),
    ...changes,
  }) as MarketWord["leaves"][number];

test("fold_of_nothing_is_nothing_and_adds_up", () => {
  const found = fold([]);
  expect(found.items).toEqual([]);
  expect([found.accepted, found.paid, found.credited, found.withdrawn, found.slashed]).toEqual([0n, 0n, 0n, 0n, 0n]);
  expect(addsUp(found)).toBe(true);
});

test("fold_leaves_other_people_s_devices_out", () => {
  const found = fold([
    claimed(STRANGER, 1n, money(5n, 5n, 5n)),
    event("StakeVault", "Convicted", { device: STRANGER, slashed: 9n }),
    withdrawn(STRANGER, 3n),
  ]);
  expect([found.earned, found.slashed, found.withdrawn, found.items]).toEqual([0n, 0n, 0n, []]);
});

test("fold_splits_a_claim_into_its_parts_each_with_its_link", () => {
  const found = fold([claimed(ONE, 7n, money(60n, 30n, 10n), hash(9))]);
  expect([found.earned, found.paid, found.bonded, found.deducted, found.credited]).toEqual([100n, 60n, 30n, 10n, 60n]);
  expect(found.items.map(({ kind, wei, epoch, tx }) => [kind, wei, epoch, tx])).toEqual([
    ["paid", 60n, 7n, hash(9)],
    ["bonded", 30n, 7n, hash(9)],
    ["deducted", 10n, 7n, hash(9)],
  ]);
});

test("fold_withdrawals_take_what_was_earned_first_and_never_more", () => {
  const found = fold([
    withdrawn(OWNER, 50n),
    claimed(ONE, 1n, money(60n)),
    withdrawn(OWNER, 100n),
    claimed(TWO, 2n, money(5n)),
  ]);
  expect([found.credited, found.withdrawn]).toEqual([5n, 60n]);
  expect(found.items.filter((item) => item.kind === "withdrawn").map((item) => item.wei)).toEqual([60n]);
  expect(addsUp(found)).toBe(true);
});

test("fold_credit_is_never_above_what_the_escrow_holds", () => {
  const found = fold([claimed(ONE, 1n, money(60n))], 40n);
  expect([found.credited, found.withdrawn, addsUp(found)]).toEqual([40n, 20n, true]);
});

test("fold_counts_what_a_claim_sends_itself_as_withdrawn", () => {
  const sent = event("MultitudeToken", "Transfer", { from: ESCROW, to: OWNER, value: 60n }, hash(9));
  const other = event("MultitudeToken", "Transfer", { from: ESCROW, to: OWNER, value: 7n }, hash(11));
  const found = fold([claimed(ONE, 1n, money(60n), hash(9)), sent, other]);
  expect([found.credited, found.withdrawn]).toEqual([0n, 60n]);
});

test("fold_slashed_and_voided", () => {
  const found = fold([
    event("EpochLedger", "LeafVoided", { device: ONE, epochId: 3n, receiptDigest: hash(3), debit: 11n }),
    event("StakeVault", "Convicted", { device: ONE, slashed: 300n }),
  ]);
  expect([found.voided, found.slashed]).toEqual([11n, 300n]);
  expect(found.items.map((item) => item.kind)).toEqual(["slashed", "voided"]);
});

test("fold_pending_is_the_market_s_word_less_what_the_chain_shows_settled", () => {
  const word: MarketWord = {
    acceptedWei: "1",
    postedWei: "30",
    finalWei: "400",
    leaves: [
      leaf(1, "100", { epochState: "final" }),
      leaf(2, "300", { epochState: "final", attested: false }),
      leaf(3, "30"),
      leaf(4, "9", { epochState: "void" }),
      leaf(5, "9", { state: "claimed" }),
    ],
  };
  const found = fold([claimed(ONE, 1n, money(100n))], 100n, word);
  expect([found.accepted, found.posted, found.due]).toEqual([1n, 30n, 300n]);
  const pending = found.items.filter((item) => item.kind === "due" || item.kind === "pending");
  expect(pending.map(({ kind, wei, note }) => [kind, wei, note])).toEqual([
    ["due", 300n, "final, not attested"],
    ["pending", 30n, "posted, window"],
  ]);
});

test("fold_epoch_that_only_the_chain_knows_to_be_final_is_due", () => {
  const leaves = [leaf(1, "100"), leaf(2, "30"), leaf(3, "7")];
  const word: MarketWord = { acceptedWei: "1", postedWei: "137", finalWei: "0", leaves };
  expect(unfinalEpochs(word)).toEqual([1n, 2n, 3n]);
  const found = fold([claimed(ONE, 3n, money(7n))], 100n, word, [1n, 3n]);
  expect([found.accepted, found.posted, found.due]).toEqual([1n, 30n, 100n]);
  const due = found.items.filter((item) => item.kind === "due");
  expect(due.map(({ wei, note }) => [wei, note])).toEqual([[100n, "final, which the market has not seen yet"]]);
});
