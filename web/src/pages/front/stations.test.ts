import { describe, expect, it } from "vitest";
import { inWords, stationsOf } from "./stations";
import type { FromChain, FromMarket } from "./useFront";

const TOKEN = 10n ** 18n;

const NOTHING: FromMarket = {
  at: null,
  devices: null,
  work: null,
  asks: null,
  paid: null,
  bestBid: null,
  freeTasks: null,
};

const CHAIN: FromChain = {
  block: { number: 7, hash: "0x", timestamp: 0 },
  totals: {
    jobs: 1,
    epochs: 3,
    claims: 2,
    paid: 5n * TOKEN,
    verification: TOKEN,
    fees: 0n,
    convicted: 1,
    burned: 0n,
    spans: new Map(),
  },
  beads: [],
  verdicts: { right: 11, wrong: 1, unavailable: 0 },
  paidTasks: 1797,
  held: null,
};

const words = (chain: FromChain | null, market: FromMarket) => stationsOf(chain, market).map(inWords);

describe("stationsOf", () => {
  it("invents no number while nothing is read", () => {
    expect(stationsOf(null, NOTHING).map(({ value }) => value)).toEqual(["–", "–", "–", "–", "–"]);
    expect(words(null, NOTHING).join(" ")).not.toMatch(/[1-9]/);
  });

  it("says of each number whose word it is", () => {
    expect(words(CHAIN, NOTHING).at(-1)).toBe(
      "1,797 tasks paid (chain), 5 MANY to owners (chain), 1 MANY for checking (chain)",
    );
    expect(words(CHAIN, { ...NOTHING, devices: 1 })[1]).toMatch(/^1 device online \(market\)/);
  });

  it("tells what leases pay rather than what is asked", () => {
    const asks = { low: TOKEN, high: 3n * TOKEN };
    expect(words(null, { ...NOTHING, asks })[1]).toContain("1 to 3 MANY a GWU (market), asked");
    const paid = { low: 2n * TOKEN, high: 2n * TOKEN, leases: 1 };
    expect(words(null, { ...NOTHING, asks, paid })[1]).toContain("2 MANY a GWU (market), paid by 1 lease");
  });
});
