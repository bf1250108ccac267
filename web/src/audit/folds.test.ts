import { describe, expect, it } from "vitest";
import { type Books, holdings } from "./accounting";
import { beadsOf, verdictCounts } from "./beads";
import { type BlockTimes, disputesOf, gameDeadline, type PanelRound } from "./disputes";
import { deadlineOf, epochLines } from "./epochs";
import { paidTasks, totalsOf } from "./totals";
import { world } from "./world";

const CLOCKS = {
  seed: 45,
  commit: 15,
  reveal: 8,
  window: 10,
  claim: 300,
  panelDraw: 12,
  panelCommit: 12,
  panelReveal: 8,
  panelAppeal: 8,
};

describe("deadlineOf", () => {
  const clock = { postedAt: 100, seededAt: 110, endedAt: 0, committed: 3, revealed: 0 };

  it.each([
    ["posted", clock, 145],
    ["seeded", clock, 125],
    ["committing", clock, 125],
    ["committing ended early, revealing", { ...clock, endedAt: 113 }, 121],
    ["revealing", clock, 133],
    ["window", clock, 143],
    ["window after an early end", { ...clock, endedAt: 116, revealed: 3 }, 126],
  ])("of %s is what the contract's is", (name, given, at) => {
    const state = (name.split(" ").at(name.includes("revealing") ? -1 : 0) ?? "none") as "posted";
    expect(deadlineOf(state, given, CLOCKS)?.at).toBe(at);
  });

  it.each(["final", "void", "none"] as const)("of %s is none", (state) => {
    expect(deadlineOf(state, clock, CLOCKS)).toBeNull();
  });
});

describe("folding a log", () => {
  it("lists an epoch with its receipts, claims and voids", () => {
    const [line] = epochLines(world("convicted").facts.log);
    expect(line).toMatchObject({ id: 1n, jobs: 1, receipts: 2, claimed: 1, voided: 1, challenges: 1 });
  });

  it("tells a dispute with its votes and its slash", () => {
    const [dispute] = disputesOf(world("convicted").facts.log);
    expect(dispute).toMatchObject({ outcome: "upheld", task: 6, leafNumber: 1, seatBond: true });
    expect(dispute?.slash).not.toBeNull();
    expect(dispute?.rounds[0]?.votes.every(({ vote }) => vote === 2)).toBe(true);
  });

  it("shows replayed and wrong receipts on an epoch's bead", () => {
    expect(beadsOf(world("convicted").facts.log, 5)).toEqual([
      { id: 1n, leaves: 2, replayed: 2, wrong: 1, standing: "open" },
    ]);
    expect(verdictCounts(world("convicted").facts.log)).toEqual({ right: 1, wrong: 1, unavailable: 0 });
  });

  it("adds up what was paid", () => {
    const { facts } = world("honest");
    const paid = facts.log
      .named("EpochLedger", "Claimed")
      .reduce((sum, { args }) => sum + args.money.paid + args.money.bonded, 0n);
    const totals = totalsOf(facts.log);
    expect([totals.claims, totals.paid]).toEqual([2, paid]);
    expect(paidTasks(facts.log, totals.spans)).toEqual({ whole: 24, short: [] });
  });
});

describe("gameDeadline", () => {
  const juror = `0x${"11".repeat(20)}` as const;
  const other = `0x${"22".repeat(20)}` as const;
  const round: PanelRound = {
    round: 0,
    subject: "0x",
    beaconRound: 3,
    snapshot: 0,
    openedIn: 1,
    commits: [{ verifier: juror, block: 5 }],
    votes: [],
  };
  const times: BlockTimes = new Map([1, 5, 7, 9].map((block) => [block, 1000 + block]));

  it.each([
    ["drawing", { ...round, commits: [] }, 1013],
    ["committing", round, 1017],
    ["revealing", round, 1025],
    ["decided", round, 1033],
  ] as const)("of %s with a juror that did not come", (state, given, at) => {
    expect(gameDeadline(state, given, [juror, other], times, CLOCKS)).toBe(at);
  });

  it("is earlier where every juror has acted", () => {
    const all = { ...round, commits: [...round.commits, { verifier: other, block: 7 }] };
    expect(gameDeadline("revealing", all, [juror, juror, other], times, CLOCKS)).toBe(1015);
    const votes = all.commits.map(({ verifier }) => ({ verifier, vote: 1, block: 9 }));
    expect(gameDeadline("decided", { ...all, votes }, [juror, juror, other], times, CLOCKS)).toBe(1017);
  });
});

describe("holdings", () => {
  /** Books in which every view answers the same amount; `held` is what each contract has. */
  function books(held: bigint): Books {
    const { log } = world("honest").facts;
    const answers: Record<string, unknown> = {
      balanceOf: 7n,
      jobOf: { available: 3n, debited: 4n },
      deviceOf: { stake: 5n, unbonding: 1n },
      seatStake: 10n,
      SUPPLY: 100n,
      totalSupply: 100n,
      challengeBond: 2n,
    };
    const view = ((contract: string, name: string) =>
      Promise.resolve(contract === "MultitudeToken" && name === "balanceOf" ? held : answers[name])) as Books["view"];
    const addresses = {} as Books["network"]["addresses"];
    return { view, native: () => Promise.resolve(0n), network: { addresses } as Books["network"], log };
  }

  it("adds up what the escrow owes over every account and job that events name", async () => {
    const lines = await holdings(books(0n));
    const escrow = lines.find(({ contract, coin }) => contract === "JobEscrow" && coin === "MANY");
    const { log } = world("honest").facts;
    const accounts = new Set(log.named("JobEscrow", "JobSettled").flatMap(({ args }) => args.accounts));
    accounts.add(log.named("JobEscrow", "JobOpened")[0]?.args.buyer ?? "0x");
    expect(escrow?.owed).toBe(7n * BigInt(accounts.size) + 7n);
  });

  it("shows a wei too much", async () => {
    const lines = await holdings(books(13n));
    const vault = lines.find(({ contract }) => contract === "StakeVault");
    expect([vault?.balance, vault?.owed]).toEqual([13n, 12n]);
  });
});
