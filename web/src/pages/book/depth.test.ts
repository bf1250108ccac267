import { describe, expect, it } from "vitest";
import { areaOf, depthOf, ticksOf } from "./depth";

const wei = (tokens: number) => String((BigInt(tokens * 10) * 10n ** 18n) / 10n);
const ask = (tokens: number, devices = 1) => ({
  priceWeiPerGWU: wei(tokens),
  devices,
  wuPerSecond: 2e6,
  unmeasured: 0,
});
const bid = (tokens: number) => ({ priceWeiPerGWU: wei(tokens), jobs: 1, tasks: 5, mostWU: "100" });

describe("depthOf", () => {
  it("of an empty book is none", () => {
    expect(depthOf([], [])).toBeNull();
  });

  it("adds up the devices that ask at most a price, whatever their order", () => {
    expect(depthOf([ask(3), ask(1)], [])?.supply.slice(1)).toEqual([
      { price: 1, value: 2e6 },
      { price: 3, value: 4e6 },
    ]);
  });

  it("adds up the work of jobs that pay at least a price", () => {
    expect(depthOf([], [bid(3), bid(1)])?.demand.map(({ value }) => value)).toEqual([200, 100, 0]);
  });

  it("gives one level alone a range to be seen in", () => {
    const depth = depthOf([ask(1)], []);
    expect([depth?.low, depth?.high]).toEqual([0.8, 1.2]);
  });

  it("gives a price of nothing a range too", () => {
    expect(depthOf([ask(0)], [])).toMatchObject({ low: 0, high: 1 });
  });
});

describe("areaOf", () => {
  it("steps up at each price and closes at the base", () => {
    const steps = [
      { price: 0, value: 0 },
      { price: 1, value: 5 },
    ];
    expect(
      areaOf(
        steps,
        2,
        (price) => price * 10,
        (value) => 100 - value,
      ),
    ).toBe("M0 100V100H10V95H20V100Z");
  });

  it("of no steps is nothing", () => {
    expect(areaOf([], 1, Number, Number)).toBe("");
  });
});

describe("ticksOf", () => {
  it.each([
    [0.62, 0.99, 4, [0.7, 0.8, 0.9]],
    [0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [990, 1210, 4, [1000, 1100, 1200]],
  ])("between %d and %d are round", (low, high, count, wanted) => {
    expect(ticksOf(low, high, count)).toEqual(wanted);
  });
});
