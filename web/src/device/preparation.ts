/** From a lease to work that may be run: blobs fetched, and everything checked that the bid commits to. */
import {
  DeviceFailure,
  MANIFEST_BYTES_MAX,
  ProtocolError,
  blobId,
  checkInput,
  checkManifest,
  compileModule,
  jobIdOf,
  parseManifest,
  programId,
  type Bid,
  type Hex,
  type InputEntry,
  type Manifest,
  type ProgramFacts,
} from "../protocol/index.ts";
import type { Chain } from "./chain.ts";
import { LeaseRefused } from "./errors.ts";
import { tasksOfGrant, type Grant } from "./grants.ts";
import type { MarketApi } from "./market.ts";
import type { Task, Work } from "./moves.ts";

const PROGRAMS_KEPT = 4;
const MANIFESTS_KEPT = 2;
/** Inputs of one lease, all together. */
const INPUTS_BYTES_MAX = 64 * 2 ** 20;
/** A rewritten module: an admitted one has at most 1 MiB, and rewriting adds to it. */
const MODULE_BYTES_MAX = 16 * 2 ** 20;

/** Prepares leases, keeping the modules and manifests that it last checked. */
export class Preparation {
  readonly #blobs: Pick<MarketApi, "getBlob">;
  readonly #chain: Pick<Chain, "isAttested">;
  readonly #modules = new Map<Hex, WebAssembly.Module>();
  readonly #manifests = new Map<Hex, Manifest>();

  constructor(blobs: Pick<MarketApi, "getBlob">, chain: Pick<Chain, "isAttested">) {
    this.#blobs = blobs;
    this.#chain = chain;
  }

  /**
   * The lease's tasks with their program.
   *
   * LeaseRefused when the program is not attested, or a blob, the manifest or an input is not what the bid names;
   * DeviceFailure when the module does not compile here; ChainUnusable, MarketError.
   */
  async prepare(grant: Grant): Promise<Work> {
    try {
      const module = await this.module(grant.program);
      const manifest = await this.#manifest(grant.bid);
      const entries = tasksOfGrant(grant).map((index) => [index, entryOf(manifest, index)] as const);
      if (entries.reduce((sum, [, entry]) => sum + entry.length, 0) > INPUTS_BYTES_MAX) {
        throw new LeaseRefused(`inputs of more than ${INPUTS_BYTES_MAX} bytes in one lease`);
      }
      const tasks: Task[] = [];
      for (const [index, entry] of entries) tasks.push({ index, input: await this.#input(entry) });
      return { bid: grant.bid, module, tasks };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new LeaseRefused(error.reason, { cause: error });
    }
  }

  /**
   * The program's rewritten module, compiled.
   *
   * INVARIANT: the tab, which cannot recompute what admission made of a module, runs only what two of three drawn seats
   * have attested, as the chain says; and of that exactly the bytes whose hash the program's id commits to.
   */
  async module(facts: ProgramFacts): Promise<WebAssembly.Module> {
    const id = programId(facts);
    const known = this.#modules.get(id);
    if (known) return known;
    if (!(await this.#chain.isAttested(id))) {
      throw new LeaseRefused("the seats have not attested this program on chain: a tab does not take it");
    }
    const module = await compileModule(await this.#blob(facts.rewrittenHash, MODULE_BYTES_MAX));
    keep(this.#modules, id, module, PROGRAMS_KEPT);
    return module;
  }

  async #manifest(bid: Bid): Promise<Manifest> {
    const jobId = jobIdOf(bid);
    const known = this.#manifests.get(jobId);
    if (known) return known;
    const manifest = parseManifest(await this.#blob(bid.manifest, MANIFEST_BYTES_MAX));
    checkManifest(manifest, bid);
    keep(this.#manifests, jobId, manifest, MANIFESTS_KEPT);
    return manifest;
  }

  async #input(entry: InputEntry): Promise<Uint8Array> {
    if (entry.bytes !== null) return entry.bytes;
    const data = await this.#blob(entry.hash, entry.length);
    checkInput(entry, data);
    return data;
  }

  async #blob(name: Hex, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const data = await this.#blobs.getBlob(name, limitBytes);
    if (blobId(data) !== name) throw new LeaseRefused(`what is served as blob ${name} is something else`);
    return data;
  }
}

/** Whether what went wrong in preparing is for the lease to be given back; else it is to be tried again. */
export function isRefusal(error: unknown): error is LeaseRefused | DeviceFailure {
  return error instanceof LeaseRefused || error instanceof DeviceFailure;
}

function entryOf(manifest: Manifest, index: number): InputEntry {
  const entry = manifest.inputs[index];
  if (!entry) throw new LeaseRefused(`the manifest has no input ${index}`);
  return entry;
}

function keep<V>(cache: Map<Hex, V>, key: Hex, value: V, most: number): void {
  cache.set(key, value);
  for (const old of cache.keys()) {
    if (cache.size <= most) return;
    cache.delete(old);
  }
}
