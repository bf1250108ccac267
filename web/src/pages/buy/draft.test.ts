import { expect, test } from "vitest";
import { draftAfter, draftFromText, draftToText, EMPTY_DRAFT, type Draft, type DraftAction } from "./draft";

const HASH = `0x${"22".repeat(32)}` as const;
const INPUT = { name: "a", length: 3, hash: HASH, root: HASH, data: new Uint8Array(3) };
const UPLOADED = { manifest: HASH, inputsRoot: HASH, tasks: 1, bytes: 3 };

const STEPS: DraftAction[] = [
  { type: "program", program: HASH },
  { type: "add", inputs: [INPUT] },
  { type: "uploaded", uploaded: UPLOADED },
  { type: "terms", terms: { budget: 5n, floorPpm: 100_000 } },
];
const filled = (): Draft => STEPS.reduce(draftAfter, EMPTY_DRAFT);

test.each(["", "nonsense", "{}", '{"version":1}', '{"version":0}', "null"])(
  "draftFromText of %j starts anew",
  (text) => {
    expect(draftFromText(text)).toEqual(EMPTY_DRAFT);
  },
);

test("draftFromText without an upload forgets inputs whose bytes are gone", () => {
  const draft = draftAfter(filled(), { type: "remove", key: 7 });
  expect(draftFromText(draftToText(draft)).inputs).toEqual([]);
});

test("draftFromText gives back what was saved, without bytes", () => {
  const draft = filled();
  expect(draftFromText(draftToText(draft))).toEqual({ ...draft, inputs: [{ ...INPUT, key: 0, data: null }] });
});

test("draftAfter an added input takes the upload, the budget and the signature back", () => {
  const signed = draftAfter(filled(), { type: "signed", signed: { jobId: HASH, bid: {}, signature: HASH } });
  const draft = draftAfter(signed, { type: "add", inputs: [INPUT] });
  expect(draft).toMatchObject({ uploaded: null, signed: null, terms: { budget: null, floorPpm: 100_000 } });
  expect(draft.inputs.map(({ key }) => key)).toEqual([0, 1]);
});

test("draftAfter removing takes one input away and never reuses its key", () => {
  const two = draftAfter(filled(), { type: "add", inputs: [INPUT] });
  const one = draftAfter(two, { type: "remove", key: 0 });
  expect(draftAfter(one, { type: "add", inputs: [INPUT] }).inputs.map(({ key }) => key)).toEqual([1, 2]);
});

test("draftAfter other terms forgets a signed bid", () => {
  const signed = draftAfter(filled(), { type: "signed", signed: { jobId: HASH, bid: {}, signature: HASH } });
  expect(draftAfter(signed, { type: "terms", terms: { deadlineSeconds: 60 } }).signed).toBeNull();
});
