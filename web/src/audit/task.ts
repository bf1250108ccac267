/** One task of an epoch run again in this page, and everything that is compared on the way. */
import {
  blobId,
  checkInput,
  checkManifest,
  decodeOutputs,
  type Hex,
  INPUT_BYTES_MAX,
  Kind,
  type Manifest,
  MANIFEST_BYTES_MAX,
  outputsSizeMax,
  parseManifest,
  positionsOfLease,
  type ProgramFacts,
  programId,
  resultLeaf,
  resultOf,
  resultTree,
  type RunResult,
  type TaskLimits,
  type TaskResult,
  type Tree,
  Verdict,
  verifyProof,
  ZERO_BYTES32,
} from "../protocol";
import { type Leaf, reasonOf } from "./evidence";
import { agrees, compare, disagrees, type Finding, unknown } from "./findings";
import type { Run } from "./judgement";

/** What a blob is for: a file may stand for one of them. */
export type BlobRole = "data" | "manifest" | "input" | "module" | "outputs";

/** Where blobs come from; nothing is trusted, every byte is hashed by who asks. Null where it cannot be had. */
export type BlobSource = (role: BlobRole, id: Hex, limitBytes: number) => Promise<Uint8Array | null>;

/** Runs a task on a thread of its own. Rejects with what kept this browser from running it (DeviceFailure). */
export type Runner = (module: Uint8Array, moduleHash: Hex, input: Uint8Array, limits: TaskLimits) => Promise<RunResult>;

/** What a replay of a leaf's tasks needs besides the leaf: the registry's word on its program. */
export type ProgramWord = { readonly facts: ProgramFacts | undefined; readonly attested: boolean };

/** What came of a task: every comparison, and the run as the leaf's judgement takes it. */
export type Replayed = { readonly findings: readonly Finding[]; readonly run: Run };

const MODULE_BYTES_MAX = 64 * 2 ** 20;

/** Bytes of the blobs that a replayer keeps for its next tasks. */
const KEPT_BYTES_MAX = 128 * 2 ** 20;

/** Replays tasks one after another and keeps meanwhile what many of them need: manifests, blobs, trees of results. */
export class TaskReplayer {
  readonly #manifests = new Map<Hex, Manifest>();
  readonly #held = new Map<string, { readonly data: Uint8Array; readonly id: Hex }>();
  readonly #trees = new Map<Leaf, Tree>();
  #kept = 0;

  constructor(
    readonly blobs: BlobSource,
    readonly runner: Runner,
  ) {}

  /** One task, by its position in its receipt. */
  async replay(leaf: Leaf, position: number, program: ProgramWord): Promise<Replayed> {
    const topic = `task ${leaf.tasks[position] ?? "?"}`;
    const signed = leaf.data.results[position];
    if (leaf.unbacked !== null || !signed)
      return ended([disagrees(topic, "its leaf", leaf.unbacked ?? "no such position")], Verdict.UNAVAILABLE);
    const findings = [placeFinding(topic, leaf, position, this.#tree(leaf))];
    const fault = leaf.faults.get(position);
    findings.push(
      fault === undefined
        ? agrees(topic, "the signed result's form", "a run could give it")
        : disagrees(topic, "the signed result's form", `no run gives it: ${fault}`),
    );
    const module = await this.#module(topic, leaf, program, findings);
    const input = await this.#input(topic, leaf, leaf.tasks[position] ?? 0, findings);
    findings.push(...(await this.#outputs(topic, leaf, position, signed)));
    if (!module || !input || !program.facts) return ended(findings, fault === undefined ? null : Verdict.WRONG);
    const limits = { wu: leaf.bid.taskLimitWU, outputBytes: leaf.bid.maxOutputBytes, digest: true };
    try {
      const run = await this.runner(module, program.facts.rewrittenHash, input, limits);
      return compared(topic, signed, run, findings);
    } catch (error) {
      findings.push(unknown(topic, "a run in this page", `this browser cannot run it: ${String(error)}`));
      return ended(findings, null);
    }
  }

  async #module(topic: string, leaf: Leaf, program: ProgramWord, findings: Finding[]): Promise<Uint8Array | null> {
    const { facts } = program;
    if (!facts) {
      findings.push(unknown(topic, "the program", "the registry has none of this id", leaf.bid.programId));
      return null;
    }
    findings.push(
      compare(topic, "the program's id", leaf.bid.programId, programId(facts), "hashed from the registry's fields"),
    );
    const module = await this.#blob(topic, "module", facts.rewrittenHash, MODULE_BYTES_MAX, findings);
    findings.push(
      program.attested
        ? agrees(
            topic,
            "the module's rewriting",
            "two of three drawn seats attested it on chain; this page does not do it again",
          )
        : unknown(
            topic,
            "the module's rewriting",
            "seats have not attested it, and this page cannot do it again: multitude audit can",
          ),
    );
    return module;
  }

  async #input(topic: string, leaf: Leaf, task: number, findings: Finding[]): Promise<Uint8Array | null> {
    const manifest = await this.#manifest(topic, leaf, findings);
    const entry = manifest?.inputs[task];
    if (!entry) return null;
    if (entry.bytes) {
      findings.push(compare(topic, "the input's hash", entry.hash, blobId(entry.bytes), "it lies in the manifest"));
      return entry.bytes;
    }
    const data = await this.#blob(topic, "input", entry.hash, INPUT_BYTES_MAX, findings);
    if (data) findings.push(checked(topic, "the input's length and root", () => checkInput(entry, data)));
    return data;
  }

  async #manifest(topic: string, leaf: Leaf, findings: Finding[]): Promise<Manifest | null> {
    const id = leaf.bid.manifest;
    const held = this.#manifests.get(id);
    if (held) {
      findings.push(compare(topic, "the manifest's id", id, id, "read and checked for an earlier task"));
      return held;
    }
    const raw = await this.#blob(topic, "manifest", id, MANIFEST_BYTES_MAX, findings);
    if (!raw) return null;
    try {
      const manifest = parseManifest(raw);
      const fits = checked(topic, "the inputs' root and count", () => checkManifest(manifest, leaf.bid));
      findings.push(fits);
      if (fits.outcome === "agrees") this.#manifests.set(id, manifest);
      return manifest;
    } catch (error) {
      findings.push(disagrees(topic, "the manifest's form", reasonOf(error)));
      return null;
    }
  }

  /** What the device delivered, against what it signed. */
  async #outputs(topic: string, leaf: Leaf, position: number, signed: TaskResult): Promise<Finding[]> {
    const { bid, data } = leaf;
    const span = Math.floor((leaf.tasks[position] ?? 0) / bid.spanTasks);
    const index = data.leases.findIndex(({ lease }) => lease.spans.includes(span));
    const id = data.outputs[index];
    if (!id) return [unknown(topic, "the delivered output", "no lease holds this task")];
    const places = positionsOfLease(data, index, bid);
    const findings: Finding[] = [];
    const blob = await this.#blob(topic, "outputs", id, outputsSizeMax(places.length, bid.maxOutputBytes), findings);
    if (!blob) return findings;
    try {
      const output = decodeOutputs(blob, places.length, bid.maxOutputBytes)[places.indexOf(position)];
      if (!output) return [...findings, unknown(topic, "the delivered output", "not in the blob")];
      const delivered = resultOf(signed.taskIndex, output, signed.wu);
      findings.push(
        compare(
          topic,
          "the delivered output's root",
          signed.outputRoot,
          delivered.outputRoot,
          `${output.length} bytes`,
        ),
      );
    } catch (error) {
      findings.push(disagrees(topic, "the delivered outputs' form", reasonOf(error)));
    }
    return findings;
  }

  #tree(leaf: Leaf): Tree {
    const tree = this.#trees.get(leaf) ?? resultTree(leaf.data.results);
    this.#trees.set(leaf, tree);
    return tree;
  }

  async #blob(topic: string, role: BlobRole, id: Hex, limit: number, findings: Finding[]): Promise<Uint8Array | null> {
    const found = this.#held.get(`${role} ${id}`) ?? (await this.#hashed(role, id, limit));
    const what = `the ${role === "outputs" ? "outputs blob" : role}'s hash`;
    if (found) findings.push(compare(topic, what, id, found.id, `${found.data.length} bytes hashed`));
    else findings.push(unknown(topic, what, "the blob cannot be had", id));
    return found?.data ?? null;
  }

  async #hashed(role: BlobRole, id: Hex, limit: number): Promise<{ data: Uint8Array; id: Hex } | null> {
    const data = await this.blobs(role, id, limit);
    if (!data) return null;
    const found = { data, id: blobId(data) };
    if (this.#kept + data.length <= KEPT_BYTES_MAX) {
      this.#kept += data.length;
      this.#held.set(`${role} ${id}`, found);
    }
    return found;
  }
}

function placeFinding(topic: string, leaf: Leaf, position: number, tree: Tree): Finding {
  const { receipt, results } = leaf.data;
  const result = results[position];
  const what = "its place in the results root";
  if (!result) return disagrees(topic, what, "no such position");
  const root = { hash: receipt.resultsRoot, sums: [receipt.totalWU, receipt.totalSquaredWU] };
  try {
    verifyProof(Kind.RESULT, root, resultLeaf(result), position, receipt.count, tree.proof(position));
  } catch (error) {
    return disagrees(topic, what, reasonOf(error));
  }
  return compare(
    topic,
    what,
    receipt.resultsRoot,
    tree.root,
    `leaf ${position} of ${receipt.count}, with the sums of WU`,
  );
}

function compared(topic: string, signed: TaskResult, run: RunResult, findings: Finding[]): Replayed {
  const found = resultOf(signed.taskIndex, run.output, run.wu, run.status);
  const names = ["status", "wu", "outputLength", "outputRoot"] as const;
  const words = {
    status: "the status",
    wu: "the WU",
    outputLength: "the output's length",
    outputRoot: "the output's root",
  };
  const lines = names.map((name) => compare(topic, `${words[name]}, by a run`, signed[name], found[name]));
  const wrong = names.filter((_, i) => lines[i]?.outcome === "disagrees");
  const all = [...findings, ...lines];
  if (wrong.length > 0) return ended(all, Verdict.WRONG, `signed with another ${wrong.join(", ")} than it gives`);
  return { findings: all, run: { verdict: Verdict.RIGHT, digest: run.stateDigest ?? ZERO_BYTES32, why: "" } };
}

function ended(findings: readonly Finding[], verdict: Verdict | null, why?: string): Replayed {
  const last = findings.findLast(({ outcome }) => outcome !== "agrees");
  return { findings, run: { verdict, digest: ZERO_BYTES32, why: why ?? last?.detail ?? "" } };
}

function checked(topic: string, what: string, check: () => void): Finding {
  try {
    check();
    return agrees(topic, what);
  } catch (error) {
    return disagrees(topic, what, reasonOf(error));
  }
}
