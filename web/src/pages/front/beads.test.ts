import { describe, expect, it } from "vitest";
import { beadWords, ringOf, shortWords, shownOf } from "./beads";

const BEAD = { id: 3n, leaves: 8, replayed: 6, wrong: 2, standing: "open" } as const;

describe("shownOf", () => {
  it.each([
    ["posted", "checking"],
    ["revealing", "checking"],
    ["window", "window"],
    ["final", "final"],
    ["void", "void"],
    [undefined, null],
  ] as const)("of the state %s is %s", (state, phase) => {
    expect(shownOf(BEAD, state).phase).toBe(phase);
  });

  it("knows a void epoch from its event alone", () => {
    expect(shownOf({ ...BEAD, standing: "void" }, undefined).phase).toBe("void");
  });
});

describe("the words of a bead", () => {
  it("tell the replays, the state and what was wrong", () => {
    expect(beadWords(shownOf(BEAD, "window"))).toBe("Epoch 3: 6 of 8 receipts replayed, open to challenges, 2 wrong");
    expect(shortWords(shownOf(BEAD, "final"))).toBe("6 of 8 replayed, final, 2 wrong");
  });

  it("leave out a state that is not read", () => {
    expect(beadWords(shownOf({ ...BEAD, wrong: 0 }, undefined))).toBe("Epoch 3: 6 of 8 receipts replayed");
  });
});

describe("ringOf", () => {
  it("parts the ring by receipts", () => {
    expect(ringOf(BEAD)).toEqual({ right: 0.5, wrong: 0.25 });
  });

  it("of an epoch without receipts is empty", () => {
    expect(ringOf({ ...BEAD, leaves: 0, replayed: 0, wrong: 0 })).toEqual({ right: 0, wrong: 0 });
  });
});
