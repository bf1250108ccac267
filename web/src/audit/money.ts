/** Where an epoch's money went, against the rules of docs/protocol.md section 5. Pure. */
import { type ChainEvent, isBefore } from "../chain/log";
import { type Address, type Hex, type LeafMoney, leafMoney, sharesOf, Verdict } from "../protocol";
import { gamesOf, redrawsOf } from "./ballots";
import { type Evidence, type Leaf, reasonOf } from "./evidence";
import { BALLOT_OUTCOMES, type EpochFacts, GAME_STATES, ownerOf, stakeBefore } from "./facts";
import { agrees, compare, disagrees, type Finding, unknown } from "./findings";
import { attestorsOf, drawOf, judge, type Runs } from "./judgement";
import { VERDICT_WORDS } from "./verdicts";

type Claimed = ChainEvent<"EpochLedger", "Claimed">;

const PARTS = ["amount", "fee", "deduction", "surcharge", "paid", "bonded"] as const;

/** Claims, voids and what is left of each entry. */
export function checkMoney(facts: EpochFacts, evidence: Evidence, runs: Runs | null): Finding[] {
  const claims = facts.log.named("EpochLedger", "Claimed", { epochId: facts.epochId });
  return [
    ...claims.flatMap((event) => claimFindings(facts, evidence, event, runs)),
    ...callsOf(claims).flatMap((call) => paymentFindings(facts, evidence, call)),
    ...voidFindings(facts, evidence),
    ...outstandingFindings(facts, evidence),
  ];
}

/** What a state forbids. */
export function checkState(facts: EpochFacts): Finding {
  const claimed = facts.log.named("EpochLedger", "Claimed", { epochId: facts.epochId }).length;
  const detail = `${facts.state}, ${claimed} leaves claimed`;
  return facts.state !== "final" && claimed > 0
    ? disagrees("state", "claims before the end", detail)
    : agrees("state", "claims before the end", detail);
}

const leafOfEvent = (evidence: Evidence, args: { jobId: Hex; receiptDigest: Hex }): Leaf | undefined =>
  evidence.leaves.find((leaf) => leaf.jobId === args.jobId && leaf.digest === args.receiptDigest);

function moneyOf(facts: EpochFacts, leaf: Leaf, event: Claimed): LeafMoney {
  const then = facts.stakes.get(leaf.device) ?? 0n;
  return leafMoney(leaf.data.receipt, leaf.bid, leaf.job.feePpm, then, stakeBefore(facts.log, leaf.device, event));
}

function claimFindings(facts: EpochFacts, evidence: Evidence, event: Claimed, runs: Runs | null): Finding[] {
  const leaf = leafOfEvent(evidence, event.args);
  if (!leaf) {
    const topic = `claim of receipt ${event.args.receiptDigest}`;
    return evidence.leaves.length > 0
      ? [disagrees(topic, "its receipt", "paid, and not in the epoch's data")]
      : [unknown(topic, "its receipt", "no data to compare with")];
  }
  const topic = `claim of leaf ${leaf.number}`;
  try {
    const money = moneyOf(facts, leaf, event);
    const parts = PARTS.map((part) => compare(topic, `${part}, wei`, event.args.money[part], money[part]));
    return [...parts, ...whyNotPayable(facts, event, leaf, runs).map((why) => disagrees(topic, "its payment", why))];
  } catch (error) {
    return [disagrees(topic, "its payment", `no rule pays it: ${reasonOf(error)}`)];
  }
}

function whyNotPayable(facts: EpochFacts, event: Claimed, leaf: Leaf, runs: Runs | null): string[] {
  const { head } = facts.posted.args;
  const { receipt } = leaf.data;
  const judgement = judge(facts, leaf, runs);
  const undrawable = redrawsOf(facts, leaf).some(({ ballot }) => ballot.seats === null);
  const convicted = facts.log.first("StakeVault", "Convicted", { device: leaf.device });
  const reasons: [boolean, string][] = [
    [!undrawable && attestorsOf(facts, leaf, drawOf(facts, leaf)) === null, "it is not attested"],
    [
      judgement.verdict === Verdict.WRONG || judgement.verdict === Verdict.UNAVAILABLE,
      `paid, though it is ${VERDICT_WORDS[judgement.verdict ?? 0]}: ${judgement.why}`,
    ],
    [
      leaf.job.settler !== head.settler && leaf.job.settler !== leaf.lessor,
      "another settler posted it without leases of the job's",
    ],
    [receipt.postBy < head.postedAt, "it was posted after its postBy"],
    [receipt.period > (head.periods[leaf.entryIndex] ?? 0), "its period had not begun"],
    [(facts.stakes.get(leaf.device) ?? 0n) < leaf.bid.minStake, "the device's stake was below the bid's minimum"],
    [convicted !== undefined && isBefore(convicted, event), "its device was convicted before"],
  ];
  return reasons.filter(([is]) => is).map(([, why]) => why);
}

/** The claims that went into one settlement of a job: those of a transaction up to its JobSettled. */
function callsOf(claims: readonly Claimed[]): Claimed[][] {
  const calls = new Map<string, Claimed[]>();
  for (const event of claims) {
    const key = `${event.tx} ${event.args.jobId}`;
    calls.set(key, [...(calls.get(key) ?? []), event]);
  }
  return [...calls.values()];
}

function paymentFindings(facts: EpochFacts, evidence: Evidence, call: readonly Claimed[]): Finding[] {
  const [first] = call;
  if (!first) return [];
  const topic = `payments of the claim in ${first.tx}`;
  const settled = facts.log
    .named("JobEscrow", "JobSettled", { jobId: first.args.jobId })
    .filter(({ tx }) => tx === first.tx);
  const leaves = call.map((event) => ({ event, leaf: leafOfEvent(evidence, event.args) }));
  const [payment] = settled;
  if (!payment || settled.length > 1)
    return [unknown(topic, "its accounts", "it cannot be told apart from another claim")];
  const credits = new Map<Address, bigint>();
  const credit = (account: Address, amount: bigint) => credits.set(account, (credits.get(account) ?? 0n) + amount);
  let [debit, spent] = [0n, 0n];
  for (const { event, leaf } of leaves) {
    const seats = leaf && attestorsOf(facts, leaf, drawOf(facts, leaf));
    if (!leaf || !seats || seats.length === 0)
      return [unknown(topic, "its accounts", "a leaf of it cannot be recomputed")];
    const money = moneyOf(facts, leaf, event);
    debit += money.debit;
    spent += money.spent;
    credit(facts.posted.args.head.settler, money.fee);
    sharesOf(money.verification, seats.length).forEach((share, i) => credit(seats[i] as Address, share));
    credit(ownerOf(facts.log, leaf.device) ?? leaf.device, money.paid);
  }
  const said = new Map<Address, bigint>();
  payment.args.accounts.forEach((account, i) =>
    said.set(account, (said.get(account) ?? 0n) + (payment.args.amounts[i] ?? 0n)),
  );
  return [
    compare(topic, "the debit that ended, wei", payment.args.debit, debit),
    compare(topic, "what the buyer spent, wei", payment.args.spent, spent),
    compare(topic, "credits by account, wei", listed(said), listed(credits)),
  ];
}

const listed = (accounts: ReadonlyMap<Address, bigint>): string[] =>
  [...accounts]
    .filter(([, amount]) => amount > 0n)
    .map(([account, amount]) => `${account} ${amount}`)
    .sort();

function voidFindings(facts: EpochFacts, evidence: Evidence): Finding[] {
  const events = facts.log.named("EpochLedger", "LeafVoided", { epochId: facts.epochId });
  return events.map((event) => {
    const leaf = leafOfEvent(evidence, event.args);
    if (!leaf) return unknown(`void of receipt ${event.args.receiptDigest}`, "its reason", "no data to compare with");
    const topic = `void of leaf ${leaf.number}`;
    const reason = voidReason(facts, event, leaf);
    if (!reason) return disagrees(topic, "its reason", "neither a redraw nor a hung game nor a conviction voided it");
    return compare(topic, "the debit that returned, wei", event.args.debit, leaf.debit, reason);
  });
}

/** Why a leaf may be void; empty where nothing says so. */
export function voidReason(facts: EpochFacts, event: ChainEvent<"EpochLedger", "LeafVoided">, leaf: Leaf): string {
  const convicted = facts.log.first("StakeVault", "Convicted", { device: leaf.device });
  if (convicted && isBefore(convicted, event)) return "its device is convicted";
  const last = redrawsOf(facts, leaf).at(-1)?.ballot;
  if (last && !last.seats) return "a redraw whose seats cannot be recomputed";
  if (last && last.outcome !== Verdict.RIGHT)
    return `its redraw ended ${last.outcome === 0 ? "hung" : BALLOT_OUTCOMES[last.outcome]}`;
  const hung = GAME_STATES.indexOf("hung");
  const isHung = gamesOf(facts, leaf.number).some(({ args }) =>
    facts.log.first("Panel", "ChallengeResolved", { gameId: args.gameId, outcome: hung }),
  );
  return isHung ? "its challenge hung" : "";
}

function outstandingFindings(facts: EpochFacts, evidence: Evidence): Finding[] {
  const { log, epochId } = facts;
  const voided = log.first("EpochLedger", "EpochVoided", { epochId }) !== undefined;
  return facts.posted.args.head.entries.flatMap((entry, index) => {
    const topic = `rest of entry ${index}`;
    const said = facts.outstanding[index];
    if (!said) return [unknown(topic, "what is left", "it was not read")];
    const bits = said.settled.toString(2).replaceAll("0", "").length;
    const { jobId } = entry;
    if (voided || log.first("EpochLedger", "Returned", { epochId, jobId }))
      return [compare(topic, "what is left, wei", said.sum, 0n), compare(topic, "settled leaves", bits, entry.count)];
    const events = [
      ...log.named("EpochLedger", "Claimed", { epochId, jobId }),
      ...log.named("EpochLedger", "LeafVoided", { epochId, jobId }),
    ];
    const leaves = events.flatMap(({ args }) => leafOfEvent(evidence, args) ?? []);
    if (leaves.length !== events.length)
      return [
        unknown(topic, "what is left", `${events.length - leaves.length} settled leaves are not in the data`, said.sum),
      ];
    const left = leaves.length === entry.count ? 0n : leaves.reduce((sum, { debit }) => sum - debit, entry.sum);
    return [compare(topic, "what is left, wei", said.sum, left), compare(topic, "settled leaves", bits, leaves.length)];
  });
}
