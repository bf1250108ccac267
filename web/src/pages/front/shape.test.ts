import { describe, expect, it } from "vitest";
import { arc, BEADS_LYING, BEADS_STANDING, lying, seeds, sideBySide, standing } from "./shape";

describe.each([
  ["lying", lying, BEADS_LYING],
  ["standing", standing, BEADS_STANDING],
] as const)("%s", (_, shapeOf, most) => {
  it.each([0, 1, 2, most])("keeps %i epochs inside the drawing, the newest nearest to what is paid", (beads) => {
    const shape = shapeOf(beads);
    expect(shape.beads).toHaveLength(beads);
    for (const { x, y } of [...shape.beads, ...shape.stations]) {
      expect(x).toBeGreaterThanOrEqual(24);
      expect(x).toBeLessThanOrEqual(shape.width - 24);
      expect(y).toBeLessThanOrEqual(shape.held.y - 24);
    }
    expect(shape.held.x + shape.held.width).toBeLessThanOrEqual(shape.width);
    const [newest, older] = shape.beads;
    if (newest && older) expect(shape.standing ? newest.y < older.y : newest.x > older.x).toBe(true);
  });

  it("leaves beads room beside each other", () => {
    const { beads } = shapeOf(most);
    const gaps = beads.slice(1).map(({ x, y }, i) => Math.hypot(x - (beads[i]?.x ?? 0), y - (beads[i]?.y ?? 0)));
    expect(Math.min(...gaps)).toBeGreaterThan(50);
  });
});

describe("arc", () => {
  it("of a whole turn does not vanish", () => {
    expect(arc({ x: 0, y: 0 }, 10, 0, 1)).toBe("M0 -10A10 10 0 1 1 -0.06 -10");
  });

  it("of a quarter takes the short way", () => {
    expect(arc({ x: 0, y: 0 }, 10, 0.25, 0.5)).toBe("M10 0A10 10 0 0 1 0 10");
  });
});

describe("seeds", () => {
  it("has no place for no device", () => {
    expect(seeds(0, 3)).toEqual([]);
  });

  it("lie around the middle and inside the sign", () => {
    const places = seeds(37, 3);
    expect(Math.max(...places.map(({ x, y }) => Math.hypot(x, y)))).toBeLessThan(20);
    expect(Math.abs(places.reduce((sum, { x }) => sum + x, 0))).toBeLessThan(0.5);
  });
});

describe("sideBySide", () => {
  it("draws nothing of nothing", () => {
    expect(sideBySide([0n, 0n], 100)).toEqual([
      { x: 0, width: 0 },
      { x: 0, width: 0 },
    ]);
  });

  it("shows a part that is small, and not one that is zero", () => {
    const [large, none, small] = sideBySide([10n ** 27n, 0n, 1n], 1000);
    expect(large?.width).toBeCloseTo(1000, 2);
    expect([none?.width, small?.width]).toEqual([0, 2]);
  });
});
