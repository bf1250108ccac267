// Runs rewritten modules on V8 under the rules of execution/engine.py. stdin: {"jobs": [{"module" (base64), "inputs"
// (hex), "wu", "output_bytes"}]}; stdout: for each job its results {"status", "output", "wu", "digest"} or {"failure"}.
import { keccak256 } from "viem";

const OK = 0, TRAP = 1, WU_LIMIT = 2, OUTPUT_TOO_LONG = 3;
const BLOCK = 4096;

function execute(exports, input, outputBytes) {
  const size = BigInt(exports.memory.buffer.byteLength);
  let packed;
  try {
    const pointer = exports.alloc(input.length) >>> 0;
    if (BigInt(pointer) + BigInt(input.length) > size) return { status: TRAP, output: Buffer.alloc(0) };
    new Uint8Array(exports.memory.buffer).set(input, pointer);
    packed = BigInt.asUintN(64, exports.run(pointer, input.length));
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    const stop = exports.stop.value;
    return { status: stop === 1 ? WU_LIMIT : TRAP, output: Buffer.alloc(0), torn: stop === 0 };
  }
  const start = packed >> 32n, length = packed & 0xffffffffn;
  if (start + length > size) return { status: TRAP, output: Buffer.alloc(0) };
  if (length > BigInt(outputBytes)) return { status: OUTPUT_TOO_LONG, output: Buffer.alloc(0) };
  return { status: OK, output: Buffer.from(exports.memory.buffer, Number(start), Number(length)) };
}

function digest(exports, status, torn) {
  const parts = [Buffer.from([status])];
  const memory = Buffer.from(exports.memory.buffer), zero = Buffer.alloc(BLOCK);
  for (let at = 0; !torn && at < memory.length; at += BLOCK) {
    const block = memory.subarray(at, at + BLOCK);
    if (block.equals(zero)) continue;
    const index = Buffer.alloc(4);
    index.writeUInt32BE(at / BLOCK);
    parts.push(index, block);
  }
  parts.push(Buffer.alloc(4, 0xff));
  const globals = [];
  for (let k = 0; exports[`g${k}`]; k++) globals.push(exports[`g${k}`].value);
  for (const value of [...globals, exports.pages.value]) {
    const word = Buffer.alloc(8);
    word.writeBigUInt64BE(typeof value === "bigint" ? BigInt.asUintN(64, value) : BigInt(value >>> 0));
    parts.push(word);
  }
  return keccak256(Buffer.concat(parts)).slice(2);
}

function run(module, input, job) {
  const limit = BigInt(job.wu);
  const { exports } = new WebAssembly.Instance(module, {});
  exports.wu.value = limit;
  let result;
  try {
    result = execute(exports, input, job.output_bytes);
  } catch (error) {
    return { failure: String(error) };
  }
  let wu = limit;
  if (result.status === OK) {
    wu = limit - exports.wu.value;
    if (wu < 1n) wu = 1n;
    if (wu > limit) wu = limit;
  }
  const { status, output, torn } = result;
  return { status, output: output.toString("hex"), wu: String(wu), digest: digest(exports, status, torn) };
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { jobs } = JSON.parse(Buffer.concat(chunks).toString());
const answers = jobs.map((job) => {
  const module = new WebAssembly.Module(Buffer.from(job.module, "base64"));
  return job.inputs.map((input) => run(module, Buffer.from(input, "hex"), job));
});
process.stdout.write(JSON.stringify(answers));
