/** How fast this browser is on known programs: measured at the first start, and again when the browser changes. */
import { DeviceFailure, type ProgramFacts } from "../protocol/index.ts";
import { LeaseRefused } from "./errors.ts";
import { programFromJson } from "./grants.ts";
import type { ListedProgram } from "./market.ts";
import type { Preparation } from "./preparation.ts";
import type { Runner } from "./runner.ts";

/** A program is run on so many inputs at once that it takes this long; the runs before warm up. */
const BUDGET_MS = 150;
const RUNS_MAX = 4_096;
const ONE = { workers: 1, cpuPercent: 100 };

/** What each program of programs/catalogue is run on: the same as in `worker/benchmark.py`. */
const INPUTS: Readonly<Record<string, Uint8Array>> = {
  digits: Uint8Array.from({ length: 64 }, (_, i) => i % 17),
  "sha256-chain": Uint8Array.of(0xe8, 3, 0, 0, ...new TextEncoder().encode("multitude")),
  matmul: Uint8Array.of(96, 0, 0, 0, 1, 0, 0, 0),
};

/** A speed, and the browser that it was measured in. */
export interface Benchmark {
  readonly browser: string;
  readonly nsPerWU: number;
}

/**
 * Nanoseconds for each WU, the middle of those programs that the market has and the seats attested; null where it has
 * none of them. Names are the market's word: a wrong one costs nothing but a wrong speed, which the first lease mends.
 */
export async function measure(
  listed: readonly ListedProgram[],
  preparation: Preparation,
  runner: Runner,
): Promise<number | null> {
  const speeds: number[] = [];
  for (const [name, input] of Object.entries(INPUTS)) {
    const found = listed.find((program) => program.name === name);
    const speed = found && (await speedOf(programFromJson(found.facts), input, preparation, runner));
    if (speed !== undefined && speed !== null) speeds.push(speed);
  }
  return speeds.sort((a, b) => a - b)[Math.floor((speeds.length - 1) / 2)] ?? null;
}

/**
 * By the whole time of many runs, as a lease has it: a worker's clock is too coarse for one. Null where the program
 * cannot be run here.
 */
async function speedOf(
  facts: ProgramFacts,
  input: Uint8Array,
  preparation: Preparation,
  runner: Runner,
): Promise<number | null> {
  try {
    const module = await preparation.module(facts);
    const limits = { taskLimitWU: facts.limitWU, maxOutputBytes: 2 ** 20 };
    for (let runs = 1; ; runs *= 4) {
      const tasks = Array.from({ length: runs }, (_, index) => ({ index, input }));
      const begun = performance.now();
      const outcomes = await runner.run({ module, tasks }, limits, ONE);
      const ms = performance.now() - begun;
      const wu = outcomes.reduce((sum, outcome) => sum + outcome.wu, 0n);
      if (runs > 1 && (ms >= BUDGET_MS || runs >= RUNS_MAX)) return (ms * 1e6) / Number(wu);
    }
  } catch (error) {
    if (error instanceof LeaseRefused || error instanceof DeviceFailure) return null;
    throw error;
  }
}
