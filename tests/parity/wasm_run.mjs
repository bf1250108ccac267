// Runs rewritten modules on V8 by the browser's own code, web/src/protocol/run.ts. stdin: {"jobs": [{"module" (base64),
// "inputs" (hex), "wu", "output_bytes"}]}; stdout: for each job its results {"status", "output", "wu", "digest"} or
// {"failure"}.
import { bundleOf } from "./bundle.mjs";

const source = Buffer.from(await bundleOf("run.ts", "esm")).toString("base64");
const { DeviceFailure, compileModule, runTask } = await import(`data:text/javascript;base64,${source}`);

function run(module, input, limits) {
  try {
    const { status, output, wu, stateDigest } = runTask(module, input, limits);
    return { status, output: Buffer.from(output).toString("hex"), wu: String(wu), digest: stateDigest.slice(2) };
  } catch (error) {
    if (error instanceof DeviceFailure) return { failure: error.reason };
    throw error;
  }
}

async function answer(job) {
  const module = await compileModule(Buffer.from(job.module, "base64"));
  const limits = { wu: BigInt(job.wu), outputBytes: job.output_bytes, digest: true };
  return job.inputs.map((item) => run(module, Buffer.from(item, "hex"), limits));
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { jobs } = JSON.parse(Buffer.concat(chunks).toString());
const answers = [];
for (const job of jobs) answers.push(await answer(job));
process.stdout.write(JSON.stringify(answers));
