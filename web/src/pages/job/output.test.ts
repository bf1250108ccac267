import { expect, test } from "vitest";
import type { Schema } from "../../api/client";
import { fileNameOf, outputOf, previewOf, textOf } from "./output";
import { shareOf, spendOf } from "./spend";

const bytes = (text: string) => new TextEncoder().encode(text);

test("textOf bytes that are no text is null", () => {
  expect(textOf(Uint8Array.of(0xff, 0xfe))).toBeNull();
  expect(textOf(Uint8Array.of(65, 0))).toBeNull();
  expect(textOf(bytes("é\n"))).toBe("é\n");
});

test("previewOf auto finds JSON, text and else hex", () => {
  expect(previewOf(bytes('{"a":1}'), "auto")).toEqual({ form: "json", text: '{\n  "a": 1\n}', isCut: false });
  expect(previewOf(bytes("12"), "auto")).toMatchObject({ form: "text", text: "12" });
  expect(previewOf(Uint8Array.of(1, 255), "auto")).toMatchObject({ form: "hex", text: "01ff" });
});

test("previewOf a form that does not fit gives hex", () => {
  expect(previewOf(bytes("abc"), "json")).toMatchObject({ form: "hex", text: "616263" });
  expect(previewOf(bytes("abc"), "hex")).toMatchObject({ form: "hex", text: "616263" });
  expect(previewOf(new Uint8Array(), "auto")).toMatchObject({ form: "hex", text: "" });
});

test("previewOf long outputs is cut", () => {
  const shown = previewOf(new Uint8Array(1 << 20), "auto");
  expect(shown.isCut).toBe(true);
  expect(shown.text.length).toBeLessThan(300);
});

test("outputOf and fileNameOf", () => {
  expect(outputOf(null)).toBeNull();
  expect(outputOf("0x0a")).toEqual(Uint8Array.of(10));
  expect(fileNameOf(42)).toBe("000042.bin");
});

const item = (state: string, amount: string) => ({
  device: "0xaa",
  epoch: 1,
  state,
  tasks: 1,
  wu: "1",
  amount,
  fee: "0",
  deduction: "0",
  surcharge: "0",
  paid: "0",
  bonded: "0",
  postTx: null,
  claimTx: null,
});
const BILL: Schema<"Bill"> = {
  jobId: "0x",
  state: "open",
  budget: "1000000",
  spent: "200",
  fees: "0",
  verification: "0",
  refunded: null,
  items: [item("claimed", "200"), item("committed", "100000"), item("voided", "5")],
  transactions: [],
};

test("spendOf holds what is posted, at its most", () => {
  expect(spendOf(BILL, 20_000, 10_000)).toEqual({
    budget: 1_000_000n,
    spent: 200n,
    held: 102_500n,
    refunded: 0n,
    free: 897_300n,
  });
});

test("spendOf a closed job has nothing free", () => {
  expect(spendOf({ ...BILL, items: [], refunded: "999800" }, 20_000, 10_000)).toMatchObject({ free: 0n, held: 0n });
});

test("shareOf nothing is nothing", () => {
  expect(shareOf(1n, 0n)).toBe(0);
  expect(shareOf(1n, 4n)).toBe(0.25);
});
