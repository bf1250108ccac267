import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keccak256 } from "../../protocol";
import { exampleInputs, knownHashes, knownProgram } from "./catalogue";
import { asksNow, priceOfTasks } from "./price";
import { isUploadGone, quoteProblem } from "./problems";
import { isTrue } from "./truth";
import { ProblemError } from "../../api/problem";

test.each(knownHashes())("knownProgram %s is the module of the repository", (name, hash) => {
  const folder = name.replace("-", "_");
  const module = readFileSync(new URL(`../../../../programs/${folder}/${folder}.wasm`, import.meta.url));
  expect(keccak256(new Uint8Array(module))).toBe(hash);
});

test.each(knownHashes())("exampleInputs of %s are as many as their WU", (_, hash) => {
  const program = knownProgram(hash);
  expect(program && exampleInputs(program).length).toBe(program?.exampleWU.length);
});

test("isTrue of facts that the id does not commit to is false", () => {
  const hash = `0x${"33".repeat(32)}`;
  const body = {
    programId: hash,
    class: 1,
    originalHash: hash,
    rewrittenHash: hash,
    codeRoot: hash,
    initialMemoryRoot: hash,
    limitWU: "1",
    memoryPages: 1,
    frameBytes: 1,
    toolVersion: 1,
    name: null,
    state: "registered",
    attested: false,
  };
  expect(isTrue(body)).toBe(false);
});

test("asksNow leaves absurd asks out and is null without devices", () => {
  const level = (price: string, devices: number) => ({ priceWeiPerGWU: price, devices, wuPerSecond: 1, unmeasured: 0 });
  expect(asksNow([])).toBeNull();
  expect(asksNow([level("5", 2), level("7", 1), level("5000", 1)])).toEqual({ low: 5n, high: 7n });
});

test("priceOfTasks adds the fee", () => {
  expect(priceOfTasks([10n ** 9n, 10n ** 9n], 1_000_000n, 20_000)).toBe(2_040_000n);
});

test("quoteProblem has its own words for each code", () => {
  const problem = (code: string, body: unknown = null) => quoteProblem(new ProblemError(code, "told", 422, 7, body));
  expect(problem("no_capacity", { live: 2 })).toMatchObject({ title: "No device can take this work now" });
  expect(problem("no_capacity", { live: 2 }).text).toMatch(/^2 devices/);
  expect(problem("rate_limited").text).toMatch(/7 seconds/);
  expect(problem("quote_failed").text).toMatch(/^told/);
  expect(problem("other")).toEqual({ title: "There is no quote", text: "told" });
});

test("isUploadGone only where uploading again helps", () => {
  expect(isUploadGone(new ProblemError("manifest_missing", "", 422))).toBe(true);
  expect(isUploadGone(new ProblemError("no_capacity", "", 409))).toBe(false);
});
