import { describe, expect, it } from "vitest";
import { encodeEpochData, parseEpochData, Verdict } from "../protocol";
import { gather, postingOf } from "./evidence";
import { type Finding, outcomeOf } from "./findings";
import { attestorsOf, drawOf, judge, type Run, type Runs, runKey, wantedRuns } from "./judgement";
import { programOf } from "./facts";
import { reportOn } from "./report";
import { type Replayed, TaskReplayer } from "./task";
import { VERDICT_WORDS } from "./verdicts";
import { directRunner, memoryBlobs, turned, withText, world } from "./world";

const LIE = 6; // bob's position, in leaf 1

const wrongTopics = (findings: readonly Finding[]) =>
  new Set(findings.filter(({ outcome }) => outcome === "disagrees").map(({ topic }) => topic));

const notAgreed = (findings: readonly Finding[]) => findings.filter(({ outcome }) => outcome !== "agrees");

/** Runs everything that an audit runs. */
async function runsOf({ facts, held, raw, domain }: ReturnType<typeof world>): Promise<Runs> {
  const evidence = gather(postingOf(facts), raw, domain);
  const replayer = new TaskReplayer(memoryBlobs(held), directRunner);
  const runs = new Map<string, Run>();
  for (const [leaf, positions] of wantedRuns(facts, evidence)) {
    const program = { facts: programOf(facts.log, leaf.bid.programId), attested: true };
    for (const position of positions)
      runs.set(runKey(leaf.number, position), (await replayer.replay(leaf, position, program)).run);
  }
  return runs;
}

async function replayOne(made: ReturnType<typeof world>, leafNumber: number, position: number): Promise<Replayed> {
  const leaf = gather(postingOf(made.facts), made.raw, made.domain).leaves[leafNumber];
  if (!leaf) throw new Error("no such leaf");
  const program = { facts: programOf(made.facts.log, leaf.bid.programId), attested: true };
  return new TaskReplayer(memoryBlobs(made.held), directRunner).replay(leaf, position, program);
}

describe.each(["honest", "convicted"] as const)("the recorded epoch %s", (name) => {
  it("draws, judges and attests as Python does", async () => {
    const made = world(name);
    const runs = await runsOf(made);
    const evidence = gather(postingOf(made.facts), made.raw, made.domain);
    const found = evidence.leaves.map((leaf) => {
      const draw = drawOf(made.facts, leaf);
      const judgement = judge(made.facts, leaf, runs);
      return {
        number: leaf.number,
        hash: leaf.hash,
        digest: leaf.digest,
        debit: String(leaf.debit),
        seats: draw.seats,
        positions: draw.positions,
        verdict: judgement.verdict === null ? null : VERDICT_WORDS[judgement.verdict],
        stateDigest: judgement.digest,
        attestors: attestorsOf(made.facts, leaf, draw) ?? [],
      };
    });
    expect(found).toEqual(made.expected.leaves);
  });

  it("agrees with the chain in everything", async () => {
    const made = world(name);
    const findings = reportOn(made.facts, gather(postingOf(made.facts), made.raw, made.domain), await runsOf(made));
    expect(notAgreed(findings)).toEqual([]);
    expect(outcomeOf(findings)).toBe(made.expected.outcome);
  });
});

describe("an epoch that was altered", () => {
  const report = (made: ReturnType<typeof world>, facts = made.facts, raw: Uint8Array = made.raw) =>
    reportOn(facts, gather(postingOf(facts), raw, made.domain), null);

  it("disagrees where a receipt's amount is another", () => {
    const made = world("honest");
    const data = parseEpochData(made.raw);
    const [entry] = data.entries;
    if (!entry) throw new Error("no entry");
    const [first, ...rest] = entry.leaves;
    if (!first) throw new Error("no leaf");
    const forged = { ...first, receipt: { ...first.receipt, amount: first.receipt.amount + 1n } };
    const raw = encodeEpochData({ ...data, entries: [{ ...entry, leaves: [forged, ...rest] }] });
    expect(wrongTopics(report(made, made.facts, raw))).toEqual(new Set(["data", "entry 0"]));
  });

  it("disagrees where one letter of its text is another", () => {
    const made = world("honest");
    const raw = withText(made.raw, '"budget":"1', '"budget":"2');
    expect(wrongTopics(report(made, made.facts, raw))).toEqual(new Set(["data", "entry 0"]));
  });

  it("disagrees where a result's WU is another", () => {
    const made = world("honest");
    const data = parseEpochData(made.raw);
    const raw = encodeEpochData({
      ...data,
      entries: data.entries.map((entry) => ({
        ...entry,
        leaves: entry.leaves.map((leaf) => ({
          ...leaf,
          results: leaf.results.map((result, k) => (k === 0 ? { ...result, wu: result.wu + 1n } : result)),
        })),
      })),
    });
    const wrong = wrongTopics(report(made, made.facts, raw));
    for (const topic of ["data", "leaf 0", "leaf 1", "claim of leaf 0"]) expect(wrong).toContain(topic);
    expect(wrong).not.toContain("entry 0");
  });

  it("disagrees where the data is no data", () => {
    const made = world("honest");
    expect(wrongTopics(report(made, made.facts, new TextEncoder().encode("nonsense")))).toContain("data");
  });

  it("disagrees where the ledger holds another head", () => {
    const made = world("honest");
    expect(wrongTopics(report(made, { ...made.facts, headHash: `0x${"01".repeat(32)}` }))).toEqual(new Set(["head"]));
  });

  it("disagrees where the seed is that of another block", () => {
    const made = world("honest");
    const blockHashes = new Map(made.facts.blockHashes).set(12, `0x${"01".repeat(32)}`);
    expect(wrongTopics(report(made, { ...made.facts, blockHashes }))).toEqual(new Set(["seed"]));
  });

  it("cannot tell where the node lacks the block of the round", () => {
    const made = world("honest");
    const findings = report(made, { ...made.facts, blockHashes: new Map() });
    expect([outcomeOf(findings), notAgreed(findings).map(({ topic }) => topic)]).toEqual(["unknown", ["seed"]]);
  });

  it.each([
    ["Staked", { amount: 5n }, "draw of leaf 0"],
    ["JobDebited", { sum: 1n }, "entry 0"],
    ["EpochOpened", { round: 10n }, "round"],
  ])("disagrees where %s tells something else", (name, args, topic) => {
    const made = world("honest");
    expect(wrongTopics(report(made, turned(made.facts, name, args)))).toContain(topic);
  });

  it("disagrees where a claim was paid one wei more", () => {
    const made = world("honest");
    const claimed = made.facts.log.named("EpochLedger", "Claimed")[0];
    const money = { ...claimed?.args.money, paid: (claimed?.args.money.paid ?? 0n) + 1n };
    expect(wrongTopics(report(made, turned(made.facts, "Claimed", { money })))).toContain("claim of leaf 0");
  });

  it("disagrees where a seat is said to have revealed another verdict", async () => {
    const made = world("honest");
    const facts = turned(made.facts, "Revealed", { verdicts: 0b1010n });
    const findings = reportOn(facts, gather(postingOf(facts), made.raw, made.domain), await runsOf(made));
    expect([...wrongTopics(findings)].filter((topic) => topic.startsWith("reveal of"))).not.toEqual([]);
    expect([...wrongTopics(findings)].filter((topic) => topic.startsWith("seat "))).not.toEqual([]);
  });

  it("disagrees where a panel convicts on fewer votes than it needs", () => {
    const made = world("convicted");
    const facts = turned(made.facts, "VoteRevealed", { vote: Verdict.RIGHT });
    expect(wrongTopics(report(made, facts))).toContain(`challenge of position ${LIE} of leaf 1`);
  });
});

describe("a task run again", () => {
  it("agrees where the device was honest, and says each thing that was compared", async () => {
    const { findings, run } = await replayOne(world("honest"), 0, 16);
    expect(notAgreed(findings)).toEqual([]);
    expect(run.verdict).toBe(Verdict.RIGHT);
    const compared = findings.map(({ what }) => what);
    for (const what of [
      "the status, by a run",
      "the WU, by a run",
      "the output's root, by a run",
      "its place in the results root",
    ])
      expect(compared).toContain(what);
  });

  it("disagrees where the device lied, with both values", async () => {
    const { findings, run } = await replayOne(world("convicted"), 1, LIE);
    expect(run.verdict).toBe(Verdict.WRONG);
    const wrong = findings.filter(({ outcome }) => outcome === "disagrees");
    expect(wrong.map(({ what }) => what)).toContain("the output's root, by a run");
    expect(wrong.every(({ said, found }) => said !== null && found !== null && said !== found)).toBe(true);
  });

  it.each(["module", "manifest", "outputs"] as const)("cannot tell without the %s", async (missing) => {
    const made = world("honest");
    const leaf = gather(postingOf(made.facts), made.raw, made.domain).leaves[0];
    if (!leaf) throw new Error("no leaf");
    const program = { facts: programOf(made.facts.log, leaf.bid.programId), attested: true };
    const blobs = memoryBlobs(made.held);
    const replayer = new TaskReplayer(
      (role, id, limit) => (role === missing ? Promise.resolve(null) : blobs(role, id, limit)),
      directRunner,
    );
    expect(outcomeOf((await replayer.replay(leaf, 16, program)).findings)).toBe("unknown");
  });

  it.each(["module", "manifest", "outputs"] as const)("disagrees on a %s with one byte turned", async (role) => {
    const made = world("honest");
    const leaf = gather(postingOf(made.facts), made.raw, made.domain).leaves[0];
    if (!leaf) throw new Error("no leaf");
    const program = { facts: programOf(made.facts.log, leaf.bid.programId), attested: true };
    const blobs = memoryBlobs(made.held);
    const replayer = new TaskReplayer(async (asked, id, limit) => {
      const data = await blobs(asked, id, limit);
      return data && asked === role ? data.map((byte, at) => (at === data.length - 2 ? byte ^ 1 : byte)) : data;
    }, directRunner);
    expect(outcomeOf((await replayer.replay(leaf, 16, program)).findings)).toBe("disagrees");
  });

  it("cannot tell where this browser cannot run it", async () => {
    const made = world("honest");
    const leaf = gather(postingOf(made.facts), made.raw, made.domain).leaves[0];
    if (!leaf) throw new Error("no leaf");
    const program = { facts: programOf(made.facts.log, leaf.bid.programId), attested: true };
    const broken = new TaskReplayer(memoryBlobs(made.held), () => Promise.reject(new Error("out of memory")));
    const { findings, run } = await broken.replay(leaf, 16, program);
    expect([outcomeOf(findings), run.verdict]).toEqual(["unknown", null]);
  });

  it("cannot tell of a program that seats have not attested", async () => {
    const made = world("honest");
    const leaf = gather(postingOf(made.facts), made.raw, made.domain).leaves[0];
    if (!leaf) throw new Error("no leaf");
    const program = { facts: programOf(made.facts.log, leaf.bid.programId), attested: false };
    const { findings } = await new TaskReplayer(memoryBlobs(made.held), directRunner).replay(leaf, 16, program);
    expect(outcomeOf(findings)).toBe("unknown");
  });
});
