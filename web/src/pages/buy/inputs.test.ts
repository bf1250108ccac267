import { expect, test } from "vitest";
import { faultOfAdding, faultOfList, manifestEstimate, PasteInvalid, pastedInputs, shownName } from "./inputs";

test("pastedInputs of odd hex names the line", () => {
  expect(() => pastedInputs("0x00\n\nabc", "hex")).toThrow(
    new PasteInvalid(3, "hex has an even number of digits 0-9 and a-f"),
  );
});

test("pastedInputs of other letters is refused", () => {
  expect(() => pastedInputs("0xzz", "hex")).toThrow(PasteInvalid);
});

test("pastedInputs of nothing gives nothing", () => {
  expect(pastedInputs("", "text")).toEqual([]);
  expect(pastedInputs("\n \n", "hex")).toEqual([]);
});

test("pastedInputs gives one input, or one for each line", () => {
  expect(pastedInputs("a\nb", "text").map(({ data }) => [...data])).toEqual([[97, 10, 98]]);
  expect(pastedInputs("a\r\nb\n", "lines").map(({ data }) => [...data])).toEqual([[97], [98]]);
  expect(pastedInputs("0x0aFF\n01 02", "hex").map(({ data }) => [...data])).toEqual([
    [10, 255],
    [1, 2],
  ]);
});

test("faultOfAdding refuses nothing, too many and too large", () => {
  expect(faultOfAdding([], 3)).toMatch(/nothing/);
  expect(faultOfAdding([{ name: "a", size: 1 }], 100_000)).toMatch(/100,001/);
  expect(faultOfAdding([{ name: "big", size: 2 ** 24 + 1 }], 0)).toMatch(/big/);
  expect(faultOfAdding([{ name: "fits", size: 2 ** 24 }], 0)).toBeNull();
});

test("faultOfList refuses an empty list and one whose manifest is too large", () => {
  expect(faultOfList([])).toMatch(/at least one/);
  expect(faultOfList(Array.from({ length: 40_000 }, () => ({ length: 1024 })))).toMatch(/split/);
  expect(faultOfList([{ length: 64 }])).toBeNull();
});

test("manifestEstimate counts inline bytes twice and others not", () => {
  expect(manifestEstimate([{ length: 1024 }])).toBe(240 + 2048);
  expect(manifestEstimate([{ length: 1025 }])).toBe(240);
});

test("shownName is short and of one line", () => {
  expect(shownName("a\nb")).toBe("a b");
  expect(shownName("x".repeat(200))).toHaveLength(80);
});
