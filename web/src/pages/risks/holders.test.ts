import { describe, expect, it } from "vitest";
import { holdersOf } from "./holders";

const person = (digit: number) => `0x${String(digit).repeat(40)}` as const;

describe("holdersOf", () => {
  it("of no seats is nobody", () => {
    expect(holdersOf([])).toEqual({ seats: 0, verifiers: 0, owners: 0, most: 0 });
  });

  it("counts an owner of several verifiers once", () => {
    const seats = [
      { verifier: person(1), owner: person(8) },
      { verifier: person(2), owner: person(8) },
      { verifier: person(2), owner: person(8) },
      { verifier: person(3), owner: person(9) },
    ];
    expect(holdersOf(seats)).toEqual({ seats: 4, verifiers: 3, owners: 2, most: 3 });
  });
});
