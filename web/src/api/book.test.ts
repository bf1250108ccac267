import { describe, expect, it } from "vitest";
import { medianAsk } from "./book";

const ask = (priceWeiPerGWU: string | bigint, devices = 1) => ({ priceWeiPerGWU, devices });

describe("medianAsk", () => {
  it("of nobody is none", () => {
    expect(medianAsk([])).toBeNull();
    expect(medianAsk([ask("5", 0)])).toBeNull();
  });

  it("goes by devices and not by levels, whatever their order", () => {
    expect(medianAsk([ask("10")])).toBe(10n);
    expect(medianAsk([ask("5"), ask("1", 3), ask("4")])).toBe(1n);
    expect(medianAsk([ask(5n, 2), ask(9n)])).toBe(5n);
    expect(medianAsk([ask(9n, 2), ask(5n)])).toBe(9n);
  });

  it("is the lower one of two", () => {
    expect(medianAsk([ask("2"), ask("10")])).toBe(2n);
  });
});
