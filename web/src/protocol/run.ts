/**
 * Runs one task of a rewritten module on this engine, under exactly the rules of `execution/engine.py`.
 *
 * Only what WebAssembly itself calls a trap is a result. Everything else (stack or memory run out, a module that does
 * not compile or link, a message that is not known) is a DeviceFailure: another device may well finish the task.
 */
import { concatBytes, uintBytes, type Bytes, type Hex } from "./encoding.ts";
import { keccak256 } from "./hashing.ts";
import { Status } from "./trees.ts";

/** What one task may use: WU and bytes of output; and whether its state digest is wanted. */
export interface TaskLimits {
  readonly wu: bigint;
  readonly outputBytes: number;
  readonly digest?: boolean;
}

/** How a task ended, its output (empty unless ok), its cost in WU, and the state digest where it was asked for. */
export interface RunResult {
  readonly status: Status;
  readonly output: Bytes;
  readonly wu: bigint;
  readonly stateDigest: Hex | null;
}

/** This device could not run the task; never a result. */
export class DeviceFailure extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
    this.name = "DeviceFailure";
  }
}

/**
 * The traps of WebAssembly that admitted modules can meet, as V8 words them, in Node 20 and in Chromium 156 (which has
 * the last two for the one before); a stack overflow is a RangeError.
 */
const TRAPS: ReadonlySet<string> = new Set([
  "unreachable",
  "memory access out of bounds",
  "divide by zero",
  "divide result unrepresentable",
  "remainder by zero",
  "table index is out of bounds",
  "null function or function signature mismatch",
  "null function",
  "function signature mismatch",
]);

const STOP_WU_LIMIT = 1;
const WU_MAX = 2n ** 63n;
const BLOCK_BYTES = 4096;
const DIGEST_END = new Uint8Array(4).fill(0xff);

/** The parts of a rewritten module that its runner uses. */
interface Guest {
  readonly memory: WebAssembly.Memory;
  readonly alloc: (length: number) => unknown;
  readonly run: (pointer: number, length: number) => unknown;
  readonly wu: WebAssembly.Global;
  readonly stop: WebAssembly.Global;
  /** The module's own mutable globals in order, then its counted pages. */
  readonly state: readonly WebAssembly.Global[];
}

/** How a task ended; `torn` where the program trapped by itself, so that its memory is not in the digest. */
interface Ending {
  readonly status: Status;
  readonly output: Bytes;
  readonly torn: boolean;
}

/** A module ready to run, on any thread. DeviceFailure when it cannot be compiled here. */
export async function compileModule(module: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(module.slice());
  } catch (error) {
    throw new DeviceFailure(`the module does not compile: ${String(error)}`);
  }
}

/** Runs one task in a fresh instance, to its end: call it on a thread of its own. DeviceFailure is never a result. */
export function runTask(module: WebAssembly.Module, input: Uint8Array, limits: TaskLimits): RunResult {
  if (limits.wu < 1n || limits.wu >= WU_MAX) throw new DeviceFailure(`a limit of ${limits.wu} WU`);
  const guest = instantiate(module);
  guest.wu.value = limits.wu;
  const { status, output, torn } = execute(guest, input, limits.outputBytes);
  const used = limits.wu - (guest.wu.value as bigint);
  try {
    const stateDigest = limits.digest ? digestOf(guest, status, torn) : null;
    return { status, output, wu: chargedWU(status, used, limits.wu), stateDigest };
  } catch (error) {
    throw new DeviceFailure(`the digest failed: ${String(error)}`);
  }
}

/** What a task costs: at least 1, at most its limit, and all of it unless it is ok. */
function chargedWU(status: Status, used: bigint, limit: bigint): bigint {
  if (status !== Status.OK || used > limit) return limit;
  return used < 1n ? 1n : used;
}

function instantiate(module: WebAssembly.Module): Guest {
  let exports: WebAssembly.Exports;
  try {
    ({ exports } = new WebAssembly.Instance(module, {}));
  } catch (error) {
    throw new DeviceFailure(`the module does not start: ${String(error)}`);
  }
  const state: WebAssembly.Global[] = [];
  while (`g${state.length}` in exports) state.push(globalOf(exports, `g${state.length}`));
  const { memory } = exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new DeviceFailure("the module's export memory is of another kind");
  return {
    memory,
    alloc: functionOf(exports, "alloc"),
    run: functionOf(exports, "run"),
    wu: globalOf(exports, "wu"),
    stop: globalOf(exports, "stop"),
    state: [...state, globalOf(exports, "pages")],
  };
}

function functionOf(exports: WebAssembly.Exports, name: string): (...values: number[]) => unknown {
  const found = exports[name];
  if (typeof found !== "function") throw new DeviceFailure(`the module's export ${name} is of another kind`);
  return found as (...values: number[]) => unknown;
}

function globalOf(exports: WebAssembly.Exports, name: string): WebAssembly.Global {
  const found = exports[name];
  if (!(found instanceof WebAssembly.Global)) throw new DeviceFailure(`the module's export ${name} is of another kind`);
  return found;
}

function execute(guest: Guest, input: Uint8Array, outputBytes: number): Ending {
  const size = guest.memory.buffer.byteLength;
  try {
    const pointer = Number(guest.alloc(input.length)) >>> 0;
    if (pointer + input.length > size) return ended(Status.TRAP);
    new Uint8Array(guest.memory.buffer).set(input, pointer);
    const packed = BigInt.asUintN(64, guest.run(pointer, input.length) as bigint);
    const start = Number(packed >> 32n);
    const length = Number(packed & 0xffff_ffffn);
    if (start + length > size) return ended(Status.TRAP);
    if (length > outputBytes) return ended(Status.OUTPUT_TOO_LONG);
    return { ...ended(Status.OK), output: new Uint8Array(guest.memory.buffer).slice(start, start + length) };
  } catch (error) {
    return trapped(guest, error);
  }
}

function ended(status: Status, torn = false): Ending {
  return { status, output: new Uint8Array(), torn };
}

/** What an error of the engine means: a trap of the program, one that its rewriting put there, or a failure. */
function trapped(guest: Guest, error: unknown): Ending {
  if (!(error instanceof WebAssembly.RuntimeError) || !TRAPS.has(error.message)) {
    throw new DeviceFailure(`the engine failed: ${String(error)}`);
  }
  const reason: unknown = guest.stop.value;
  return ended(reason === STOP_WU_LIMIT ? Status.WU_LIMIT : Status.TRAP, reason === 0);
}

/** The digest of the state that a task leaves behind (`execution/state.py`). */
function digestOf(guest: Guest, status: Status, torn: boolean): Hex {
  const blocks = torn ? [] : blocksOf(new Uint8Array(guest.memory.buffer));
  const numbers = guest.state.map(({ value }: { value: unknown }) =>
    uintBytes(typeof value === "bigint" ? BigInt.asUintN(64, value) : (value as number) >>> 0, 8),
  );
  return keccak256(concatBytes([Uint8Array.of(status), ...blocks, DIGEST_END, ...numbers]));
}

/** The blocks of memory that are not all zero, each behind its index. */
function blocksOf(memory: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < memory.length; at += BLOCK_BYTES) {
    const isZero = new BigUint64Array(memory.buffer, at, BLOCK_BYTES / 8).every((word) => word === 0n);
    if (!isZero) found.push(uintBytes(at / BLOCK_BYTES, 4), memory.subarray(at, at + BLOCK_BYTES));
  }
  return found;
}
