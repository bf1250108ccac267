/** Spans, money, draws, verdicts and programs over the shared vectors. */
import { describe, expect, test } from "vitest";

import type { Address, Hex } from "./encoding.ts";
import { DrawInvalid, EncodingInvalid, MoneyInvalid, SpansInvalid, VerdictsInvalid } from "./errors.ts";
import { Bid, Receipt } from "./messages.ts";
import { amountOf, checkReceipt, checkReplay, debitOf, leafMoney, replayWU, sharesOf } from "./money.ts";
import { programId } from "./program.ts";
import {
  ballotSeats,
  ballotSeed,
  drawnTasks,
  epochSeed,
  missProbability,
  pPpm,
  panelSubject,
  priceOfTask,
  redrawSubject,
  seatsOfLeaf,
  wantedSeats,
} from "./sampling.ts";
import { isInSpans, spanSet, spanSetOf, spansHash, spansOf, taskCountOfSpans, tasksOfSpans } from "./spans.ts";
import { flipped, vectors } from "./vectors.ts";
import {
  Verdict,
  ballotCommitment,
  checkVerdicts,
  commitmentOf,
  digestOfLeaf,
  digestsHash,
  stateDigest,
  storedHash,
  verdictsByLeaf,
} from "./verdicts.ts";

type Row = Record<string, string>;
const { cases: messages } = vectors<{ cases: { type: string; message: unknown }[] }>("messages");
const BID = Bid.fromJson(messages[0]?.message);
const RECEIPT = Receipt.fromJson(messages.find(({ type }) => type === "Receipt")?.message);
const number = (row: Row, name: string): bigint => BigInt(row[name] ?? "");

describe("spans", () => {
  const { cases } = vectors<{
    cases: (Record<string, string> & { spans: string[]; words: Hex[]; firstTasks: string[] })[];
  }>("spans");

  test.each([[[]], [[1, 1]], [[-1]], [[1.5]], [[2 ** 32]], [[0, 1024 * 256]]])("spanSet of %j is refused", (spans) => {
    expect(() => spanSet(spans)).toThrow(SpansInvalid);
  });

  test.each<[number, bigint[]]>([
    [0, []],
    [0, [0n]],
    [0, [0n, 1n]],
    [0, [1n, 0n]],
    [0, Array<bigint>(1025).fill(1n)],
    [2 ** 24, [1n]],
  ])("spanSetOf %s with %s is refused", (firstWord, words) => {
    expect(() => spanSetOf(firstWord, words)).toThrow(SpansInvalid);
  });

  test("a word past uint256 and spans outside the job are refused", () => {
    expect(() => spanSetOf(0, [2n ** 256n])).toThrow(EncodingInvalid);
    expect(() => tasksOfSpans(spanSet([5]), 20, 4)).toThrow(SpansInvalid);
    expect(() => taskCountOfSpans(spanSet([0]), 20, 0)).toThrow(SpansInvalid);
  });

  test.each(cases.map((item) => [item.spans.length, item] as const))("a set of %s is Python's", (_count, item) => {
    const set = spanSet(item.spans.map(Number));
    const job = [Number(item.taskCount), Number(item.spanTasks)] as const;
    expect(set).toEqual(spanSetOf(Number(item.firstWord), item.words.map(BigInt)));
    expect(spansHash(set)).toBe(item.hash);
    expect(spansOf(set)).toEqual(item.spans.map(Number));
    expect(taskCountOfSpans(set, ...job)).toBe(Number(item.count));
    const tasks = tasksOfSpans(set, ...job);
    expect(tasks).toHaveLength(Number(item.count));
    expect(tasks.slice(0, 8)).toEqual(item.firstTasks.map(Number));
    expect(item.spans.every((span) => isInSpans(set, Number(span)))).toBe(true);
    expect(isInSpans(set, Number(item.spans[0]) + 256 * 1024)).toBe(false);
  });
});

describe("money", () => {
  const { cases } = vectors<{ cases: (Row & { sharesOf3: string[] })[] }>("money");

  test("a receipt without work and numbers past uint128 are refused", () => {
    expect(() => leafMoney({ ...RECEIPT, count: 0 }, BID, 0, 0n, 0n)).toThrow(MoneyInvalid);
    expect(() => leafMoney({ ...RECEIPT, totalWU: 0n }, BID, 0, 0n, 0n)).toThrow(MoneyInvalid);
    expect(() => amountOf(2n ** 64n - 1n, 2n ** 128n - 1n)).toThrow(MoneyInvalid);
    expect(() => debitOf(2n ** 128n - 1n, 30_000, 10_000)).toThrow(MoneyInvalid);
    expect(() => sharesOf(1n, 0)).toThrow(MoneyInvalid);
  });

  test.each([
    { count: 0 },
    { amount: RECEIPT.amount * 2n },
    { totalWU: 16n * BID.taskLimitWU + 1n, totalSquaredWU: 2n ** 128n - 1n },
    { totalSquaredWU: RECEIPT.totalSquaredWU - 1n },
    { totalSquaredWU: RECEIPT.totalWU * BID.taskLimitWU + 1n },
  ])("checkReceipt refuses %s", (change) => {
    checkReceipt(RECEIPT, BID);
    expect(() => {
      checkReceipt({ ...RECEIPT, ...change }, BID);
    }).toThrow(MoneyInvalid);
  });

  test("checkReplay refuses more than can be claimed", () => {
    checkReplay(RECEIPT, BID, 0n, RECEIPT.totalWU);
    expect(() => {
      checkReplay(RECEIPT, BID, 0n, RECEIPT.totalWU - 1n);
    }).toThrow(MoneyInvalid);
  });

  test.each(cases.map((item, i) => [i, item] as const))("case %s is Python's", (_i, item) => {
    const receipt = {
      ...RECEIPT,
      ...{ amount: number(item, "amount"), count: Number(item.count) },
      ...{ totalWU: number(item, "totalWU"), totalSquaredWU: number(item, "totalSquaredWU") },
    };
    const floor = Number(item.rateFloorPpm);
    const stakes = [number(item, "stakeThen"), number(item, "stakeNow")] as const;
    const found = leafMoney(receipt, { ...BID, rateFloorPpm: floor }, Number(item.feePpm), ...stakes);
    for (const [name, value] of Object.entries(found)) expect([name, String(value)]).toEqual([name, item[name]]);
    expect(replayWU(receipt.totalWU, found.rulePpm, floor)).toBe(number(item, "replayWU"));
    expect(sharesOf(found.verification, 3).map(String)).toEqual(item.sharesOf3);
  });
});

describe("draws", () => {
  interface Draws {
    tasks: {
      seed: Hex;
      receipt: unknown;
      stake: string;
      rateFloorPpm: string;
      wus: string[];
      pPpm: string[];
      drawn: string[];
    }[];
    seats: {
      seed: Hex;
      leafHash: Hex;
      deviceOwner: Address;
      seats: [Address, Address][];
      wanted: string;
      drawn: string[];
    }[];
    ballots: {
      randomness: Hex;
      subject: Hex;
      seed: Hex;
      wanted: string;
      excluded: Address;
      seats: [Address, Address][];
      drawn: string[];
    }[];
    epochSeeds: { randomness: Hex; epochId: string; seed: Hex }[];
    subjects: ({ kind: string; round: string; subject: Hex } & Record<"epochId" | "leafHash" | "gameId", Hex>)[];
  }
  const draws = vectors<Draws>("draws");
  const seatsOf = (pairs: [Address, Address][]) => pairs.map(([verifier, owner]) => ({ verifier, owner }));

  test("WU that are not the receipt's are refused", () => {
    const seed = epochSeed(RECEIPT.resultsRoot, 1n);
    const wus = Array<bigint>(16).fill(100_000n);
    expect(drawnTasks(seed, RECEIPT, wus, 0n, 10_000)).toHaveLength(16);
    for (const bad of [[], wus.slice(1), [...wus.slice(1), 99_999n]]) {
      expect(() => drawnTasks(seed, RECEIPT, bad, 0n, 10_000)).toThrow(DrawInvalid);
    }
    expect(() => drawnTasks("0x00", RECEIPT, wus, 0n, 10_000)).toThrow(EncodingInvalid);
  });

  test.each(draws.tasks.map((item, i) => [i, item] as const))("task draw %s is Python's", (_i, item) => {
    const receipt = Receipt.fromJson(item.receipt);
    const wus = item.wus.map(BigInt);
    const [stake, floor] = [BigInt(item.stake), Number(item.rateFloorPpm)];
    expect(wus.map((wu) => String(pPpm(priceOfTask(wu, receipt.amount, receipt.totalWU), stake, floor)))).toEqual(
      item.pPpm,
    );
    expect(drawnTasks(item.seed, receipt, wus, stake, floor).map(String)).toEqual(item.drawn);
  });

  test("a draw under another seed is another", () => {
    const item = draws.tasks.find(({ drawn, wus }) => drawn.length > 3 && drawn.length < wus.length);
    if (item === undefined) throw new Error("no draw of some tasks");
    const rest = [item.wus.map(BigInt), BigInt(item.stake), Number(item.rateFloorPpm)] as const;
    expect(drawnTasks(flipped(item.seed), Receipt.fromJson(item.receipt), ...rest).map(String)).not.toEqual(item.drawn);
  });

  test("seats of leaves are Python's, whatever the case of addresses", () => {
    for (const { seed, leafHash, deviceOwner, seats, wanted, drawn } of draws.seats) {
      expect(wantedSeats(seed, leafHash)).toBe(Number(wanted));
      const owner = deviceOwner.toLowerCase() as Address;
      expect(seatsOfLeaf(seed, leafHash, seatsOf(seats), owner).map(String)).toEqual(drawn);
    }
    expect(seatsOfLeaf(RECEIPT.jobId, RECEIPT.jobId, [], BID.buyer)).toEqual([]);
  });

  test("ballots are Python's", () => {
    for (const { randomness, subject, seed, wanted, excluded, seats, drawn } of draws.ballots) {
      expect(ballotSeed(randomness, subject)).toBe(seed);
      expect(ballotSeats(seed, subject, seatsOf(seats), Number(wanted), [excluded]).map(String)).toEqual(drawn);
    }
  });

  test("seeds and subjects are Python's", () => {
    for (const { randomness, epochId, seed } of draws.epochSeeds)
      expect(epochSeed(randomness, BigInt(epochId))).toBe(seed);
    for (const { kind, epochId, leafHash, gameId, round, subject } of draws.subjects) {
      const rest = Number(round);
      expect(kind === "panel" ? panelSubject(gameId, rest) : redrawSubject(BigInt(epochId), leafHash, rest)).toBe(
        subject,
      );
    }
  });

  test("missProbability multiplies the chances to be passed over", () => {
    expect(missProbability([])).toBe(1);
    expect(missProbability([500_000, 500_000])).toBeCloseTo(0.25, 12);
    expect(missProbability([10_000, 1_000_000])).toBe(0);
  });
});

describe("verdicts", () => {
  interface Epoch {
    epochId: string;
    verifier: Address;
    salt: Hex;
    verdicts: Hex;
    digests: Hex[];
    digestsHash: Hex;
    hash: Hex;
    commitment: Hex;
  }
  interface File {
    epochs: Epoch[];
    ballots: { verifier: Address; subject: Hex; salt: Hex; vote: string; commitment: Hex }[];
    stateDigests: { tasks: Hex[]; digest: Hex }[];
  }
  const { epochs, ballots, stateDigests } = vectors<File>("verdicts");
  const zero: Hex = `0x${"00".repeat(32)}`;

  test.each<[bigint, Hex[]]>([
    [1n, []],
    [0n, [zero]],
    [1n, [zero]],
    [2n, [RECEIPT.jobId]],
    [3n, [zero, zero]],
  ])("digests that do not belong to %s are refused", (packed, digests) => {
    expect(() => checkVerdicts(packed, digests)).toThrow(VerdictsInvalid);
  });

  test("a vote of 0 is refused", () => {
    expect(() => ballotCommitment(zero, BID.buyer, zero, Verdict.NOT_MINE)).toThrow(VerdictsInvalid);
  });

  test.each(epochs.map((item) => [item.epochId, item] as const))("epoch %s is Python's", (id, item) => {
    const verdicts = checkVerdicts(BigInt(item.verdicts), item.digests);
    expect(digestsHash(verdicts.digests)).toBe(item.digestsHash);
    expect(storedHash(verdicts)).toBe(item.hash);
    expect(commitmentOf(verdicts, item.salt, item.verifier, BigInt(id))).toBe(item.commitment);
    expect([...verdictsByLeaf(verdicts).keys()].map((leaf) => digestOfLeaf(verdicts, leaf))).toEqual(item.digests);
  });

  test("a leaf that is not the verifier's has no digest", () => {
    expect(digestOfLeaf(checkVerdicts(1n << 2n, [RECEIPT.jobId]), 0)).toBeNull();
  });

  test("ballots and state digests are Python's", () => {
    for (const { verifier, subject, salt, vote, commitment } of ballots) {
      expect(ballotCommitment(salt, verifier, subject, Number(vote) as Verdict)).toBe(commitment);
    }
    for (const { tasks, digest } of stateDigests) expect(stateDigest(tasks)).toBe(digest);
  });
});

describe("programs", () => {
  const { cases } = vectors<{ cases: (Record<string, Hex> & { class: string })[] }>("programs");
  const facts = cases.map((item) => ({
    assurance: Number(item.class),
    originalHash: item.originalHash as Hex,
    rewrittenHash: item.rewrittenHash as Hex,
    codeRoot: item.codeRoot as Hex,
    initialMemoryRoot: item.initialMemoryRoot as Hex,
    limitWU: BigInt(item.limitWU ?? ""),
    memoryPages: Number(item.memoryPages),
    frameBytes: Number(item.frameBytes),
    toolVersion: Number(item.toolVersion),
  }));

  test("an unknown class and numbers out of range are refused", () => {
    const [first] = facts;
    if (first === undefined) throw new Error("no programs");
    for (const change of [{ assurance: 3 }, { limitWU: 2n ** 64n }, { memoryPages: -1 }, { codeRoot: "0x" as Hex }]) {
      expect(() => programId({ ...first, ...change })).toThrow(EncodingInvalid);
    }
  });

  test("ids are Python's", () => {
    expect(facts.map(programId)).toEqual(cases.map((item) => item.programId));
  });
});
