import { expect, test } from "vitest";
import { ProblemError } from "../../api/problem";
import { type Fault, refusalOf } from "./refusal";

const refused = (body: unknown, code = "module_refused") => new ProblemError(code, "told", 422, null, body);
const FLOAT = { cause: "floating_point", function: "mean", offset: 81, message: "floating point is refused" };
const faultsOf = (...faults: unknown[]): Fault[] => refusalOf(refused({ faults }))?.faults ?? [];

test("refusalOf another problem or error is null", () => {
  expect(refusalOf(refused({ faults: [FLOAT] }, "rate_limited"))).toBeNull();
  expect(refusalOf(new Error("floating point"))).toBeNull();
});

test.each([null, {}, { faults: null }, { faults: "x" }, { faults: [] }, { faults: [null, 7, {}] }])(
  "refusalOf %j lists nothing and is null",
  (body) => {
    expect(refusalOf(refused(body))).toBeNull();
  },
);

test("refusalOf faults tells rule, function and byte of each", () => {
  const told = [FLOAT, { ...FLOAT, function: 3 }, { ...FLOAT, function: null }];
  const place = { message: "floating point is refused", byte: 81, advice: null };
  expect(refusalOf(refused({ faults: told, more: 12 }))).toEqual({
    faults: [
      { ...place, place: "mean", isName: true, advice: "Use integers or fixed point." },
      { ...place, place: "function 3", isName: false },
      { ...place, place: null, isName: false },
    ],
    more: 12,
  });
});

test.each(["\u001b[2J", "\u202egnp", "\u200fmean\u2066", "a\nb", "\u0000"])(
  "refusalOf a hostile name %j shows no control sign and no mark of direction",
  (name) => {
    const [fault] = faultsOf({ ...FLOAT, function: name, message: `imports are not admitted: \`${name}\`` });
    expect(fault?.place).toMatch(/^\P{C}+$/u);
    expect(fault?.message).toMatch(/^\P{C}+$/u);
  },
);

test("refusalOf endless names, messages and lists is cut", () => {
  const long = "x".repeat(100_000);
  const faults = faultsOf(...Array.from({ length: 5_000 }, () => ({ ...FLOAT, function: long, message: long })));
  expect(faults.length).toBe(50);
  expect(faults[0]?.place?.length).toBe(100);
  expect(faults[0]?.message.length).toBe(400);
});

test("refusalOf faults says each advice once and nothing where the rule says it all", () => {
  const causes = ["memory_missing", "floating_point", "memory_unbounded", "simd", "too_many", "toString"];
  const advice = faultsOf(...causes.map((cause) => ({ ...FLOAT, cause }))).map(
    (fault) => fault.advice?.slice(0, 7) ?? null,
  );
  expect(advice).toEqual(["Link wi", "Use int", null, "Compile", null, null]);
});
