import { describe, expect, test, vi } from "vitest";

import { fromHex, toHex, type Hex } from "./encoding.ts";
import { DeviceFailure, compileModule, runTask } from "./run.ts";
import { vectors } from "./vectors.ts";

interface Case {
  name: string;
  module: Hex;
  limits: { wu: string; outputBytes: string };
  results: { input: Hex; status: string; output: Hex; wu: string; stateDigest: Hex }[];
}

const { cases } = vectors<{ cases: Case[] }>("runs");
const LIMITS = { wu: 1_000_000n, outputBytes: 100 };

/** A module that exports what a rewritten one does, its `run` with this body (locals 0 and 1 are i32). */
function moduleOf(run: number[], { name = "stop" } = {}): Uint8Array {
  const text = (word: string): number[] => [word.length, ...new TextEncoder().encode(word)];
  const section = (id: number, items: number[][]): number[] => {
    const body = [items.length, ...items.flat()];
    return [id, (body.length & 0x7f) | 0x80, body.length >> 7, ...body];
  };
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [
      [0x60, 1, 0x7f, 1, 0x7f],
      [0x60, 2, 0x7f, 0x7f, 1, 0x7e],
    ]),
    ...section(3, [[0], [1]]),
    ...section(5, [[0, 1]]),
    ...section(6, [
      [0x7e, 1, 0x42, 0, 0x0b],
      [0x7f, 1, 0x41, 0, 0x0b],
      [0x7f, 1, 0x41, 1, 0x0b],
    ]),
    ...section(7, [
      [...text("memory"), 2, 0],
      [...text("alloc"), 0, 0],
      [...text("run"), 0, 1],
      [...text("wu"), 3, 0],
      [...text(name), 3, 1],
      [...text("pages"), 3, 2],
    ]),
    ...section(10, [
      [4, 0, 0x41, 0, 0x0b],
      [run.length + 2, 0, ...run, 0x0b],
    ]),
  ]);
}

/** Runs a check while the engine throws that error when it makes an instance, or when the instance runs. */
function throwingIn(place: "Instance" | "run", error: Error, check: () => void): void {
  const original = WebAssembly.Instance;
  const run = (): never => {
    throw error;
  };
  const stub = vi.spyOn(WebAssembly, "Instance").mockImplementation(function (module) {
    if (place === "Instance") throw error;
    return { exports: { ...new original(module, {}).exports, run } };
  });
  try {
    check();
  } finally {
    stub.mockRestore();
  }
}

const NOTHING = [0x42, 0];
const CALL_ITSELF = [0x20, 0, 0x20, 1, 0x10, 1];

describe("a failure of the device is never a result", () => {
  test("a module that does not compile", async () => {
    await expect(compileModule(Uint8Array.of(0, 0x61, 0x73))).rejects.toThrow(DeviceFailure);
    await expect(compileModule(moduleOf([0x41]))).rejects.toThrow("does not compile");
  });

  test("a stack overflow that no frame limit caught", async () => {
    const module = await compileModule(moduleOf(CALL_ITSELF));
    expect(() => runTask(module, new Uint8Array(), LIMITS)).toThrow(DeviceFailure);
    expect(() => runTask(module, new Uint8Array(), LIMITS)).toThrow("RangeError");
  });

  test("memory that cannot be had", async () => {
    const module = await compileModule(moduleOf(NOTHING));
    const error = new RangeError("WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance");
    throwingIn("Instance", error, () => {
      expect(() => runTask(module, new Uint8Array(), LIMITS)).toThrow(DeviceFailure);
    });
  });

  test("an export that is missing", async () => {
    const module = await compileModule(moduleOf(NOTHING, { name: "stoq" }));
    expect(() => runTask(module, new Uint8Array(), LIMITS)).toThrow("export stop");
  });

  test("a limit of no WU, or one past int64", async () => {
    const module = await compileModule(moduleOf(NOTHING));
    for (const wu of [0n, -1n, 2n ** 63n]) {
      expect(() => runTask(module, new Uint8Array(), { ...LIMITS, wu })).toThrow(DeviceFailure);
    }
  });

  test.each([
    ["a trap of an unknown wording", new WebAssembly.RuntimeError("something else")],
    ["a RangeError worded as a trap", new RangeError("unreachable")],
    ["an error worded as a trap", new Error("memory access out of bounds")],
  ])("%s", async (_name, error) => {
    const module = await compileModule(moduleOf(NOTHING));
    throwingIn("run", error, () => {
      expect(() => runTask(module, new Uint8Array(), LIMITS)).toThrow(DeviceFailure);
    });
  });
});

test.each(["null function", "function signature mismatch"])("Chromium's trap %s is a result", async (wording) => {
  const module = await compileModule(moduleOf(NOTHING));
  throwingIn("run", new WebAssembly.RuntimeError(wording), () => {
    expect(runTask(module, new Uint8Array(), LIMITS)).toMatchObject({ status: 1, wu: LIMITS.wu });
  });
});

test("a plain trap is a result, and no digest is made unasked", async () => {
  const module = await compileModule(moduleOf([0x00]));
  const found = runTask(module, new Uint8Array(), LIMITS);
  expect(found).toEqual({ status: 1, output: new Uint8Array(), wu: LIMITS.wu, stateDigest: null });
});

test("instances do not pile up", async () => {
  const module = await compileModule(moduleOf(NOTHING));
  for (let i = 0; i < 200; i++) expect(runTask(module, new Uint8Array(), LIMITS).wu).toBe(1n);
});

describe.each(cases.map((item) => [item.name, item] as const))("%s", (_name, { module, limits, results }) => {
  test.each(results.map((item, i) => [i, item] as const))("input %s gives wasmtime's result", async (_i, wanted) => {
    const task = { wu: BigInt(limits.wu), outputBytes: Number(limits.outputBytes), digest: true };
    const found = runTask(await compileModule(fromHex(module)), fromHex(wanted.input), task);
    expect({
      ...{ input: wanted.input, status: String(found.status), output: toHex(found.output) },
      ...{ wu: String(found.wu), stateDigest: found.stateDigest },
    }).toEqual(wanted);
  });
});
