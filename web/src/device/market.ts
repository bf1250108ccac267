/**
 * A market over HTTPS, outbound only: what the agent needs of it, and the client that speaks market/openapi.json.
 *
 * The market is not trusted: every call has a time for the whole of it, every answer a size, no redirect is followed, and
 * what it says is cleaned before anybody reads it.
 */
import { medianAsk } from "../api/book.ts";
import { bigUintFromJson, toBase64 } from "../protocol/encoding.ts";
import {
  Binding,
  ProtocolError,
  Receipt,
  Session,
  blobId,
  checkUint,
  checksumAddress,
  concatBytes,
  resultToRow,
  type Address,
  type Hex,
  type TaskResult,
} from "../protocol/index.ts";
import { LeaseRefused, MarketRefused, MarketUnreachable, SessionRefused } from "./errors.ts";
import { grantFromJson, lookOf, networkFromJson, objectAt, type Grant, type LeaseKey, type Network } from "./grants.ts";
import type { Offer } from "./policy.ts";

const ANSWER_BYTES_MAX = 8 * 2 ** 20;
const PROBLEM_BYTES_MAX = 64 * 2 ** 10;
const TEXT_MAX = 500;
const TOKEN = /^[!-~]{1,4096}$/;
const TIMEOUT_S = 15;
/** For the whole of a blob, up or down. */
const BLOB_TIMEOUT_S = 120;
const RETRY_AFTER_MAX_S = 60;

/** What the market says of its network: what a device pins, and where the chain can be read. */
export interface Deployment {
  readonly network: Network;
  readonly rpc: string;
  readonly stakeVault: Address;
  readonly epochLedger: Address;
  readonly deployBlock: number;
  readonly confirmations: number;
}

/** A program as the market lists it: nothing of it is checked. */
export interface ListedProgram {
  readonly name: string | null;
  readonly facts: unknown;
}

/** What a device asks of a market. Every method throws MarketUnreachable, SessionRefused or MarketRefused. */
export interface MarketApi {
  deployment(): Promise<Deployment>;
  /** Opens a session for the calls below; when it ends, in Unix seconds. */
  openSession(session: Session, signature: Hex): Promise<number>;
  /** Has the device bound to its owner on chain; nothing happens if it is. */
  bind(binding: Binding, deviceSignature: Hex, ownerSignature: Hex): Promise<void>;
  putOffer(offer: Offer): Promise<void>;
  /** A lease, or null when the market has none within that time. */
  nextLease(waitS: number, signal?: AbortSignal): Promise<Grant | null>;
  heartbeat(key: LeaseKey): Promise<void>;
  release(key: LeaseKey): Promise<void>;
  /** Hands in a lease's work; the next lease where one is wanted and the market has one at once. */
  submit(key: LeaseKey, work: Delivery, wantsNext: boolean): Promise<Grant | null>;
  /** The bytes served under that id, not checked; LeaseRefused where there are none or too many. */
  getBlob(name: Hex, limitBytes: number): Promise<Uint8Array<ArrayBuffer>>;
  putBlob(blob: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Pay of this device that was accepted and is not settled yet, in wei; null where the market does not know it. */
  unfinalWei(device: Address): Promise<bigint | null>;
  /** What the middle one of the live devices asks, in wei per GWU; null while none asks. */
  medianAsk(): Promise<bigint | null>;
  /** The newest programs. */
  programs(): Promise<ListedProgram[]>;
}

/** Outputs of so few bytes travel with the results. */
export const INLINE_BYTES_MAX = 64 * 2 ** 10;

/**
 * What is handed in for a lease: its results in task order, the blob id of their outputs, the signed receipt over them.
 * `blob` is the bytes of the outputs where they come along; null where they were uploaded.
 */
export interface Delivery {
  readonly results: readonly TaskResult[];
  readonly outputs: Hex;
  readonly blob: Uint8Array | null;
  readonly receipt: Receipt;
  readonly signature: Hex;
}

/** The market at an origin ("" is this page's own). */
export class HttpMarket implements MarketApi {
  #token = "";
  readonly #origin: string;
  readonly #closing: AbortSignal | undefined;

  constructor(origin: string, closing?: AbortSignal) {
    this.#origin = origin;
    this.#closing = closing;
  }

  async deployment(): Promise<Deployment> {
    const answer = await this.#json("GET", "/v1/network");
    return this.#read("a network", () => {
      const fields = objectAt(answer, "the network");
      const addresses = objectAt(fields.addresses, "addresses");
      return {
        network: networkFromJson(fields),
        rpc: typeof fields.rpc === "string" ? fields.rpc : "",
        stakeVault: checksumAddress(addresses.StakeVault, "StakeVault"),
        epochLedger: checksumAddress(addresses.EpochLedger, "EpochLedger"),
        deployBlock: checkUint(fields.deploy_block, 53, "deploy_block"),
        confirmations: checkUint(fields.confirmations, 32, "confirmations"),
      };
    });
  }

  async openSession(session: Session, signature: Hex): Promise<number> {
    this.#token = "";
    const answer = await this.#json("POST", "/v1/sessions", { session: Session.toJson(session), signature });
    return this.#read("a session", () => {
      const { token, expiresAt } = objectAt(answer, "the session");
      if (typeof token !== "string" || !TOKEN.test(token)) throw new MarketUnreachable("the market gives no token");
      this.#token = token;
      return checkUint(expiresAt, 40, "expiresAt");
    });
  }

  async bind(binding: Binding, deviceSignature: Hex, ownerSignature: Hex): Promise<void> {
    const body = { binding: Binding.toJson(binding), deviceSignature, ownerSignature };
    await this.#json("POST", "/v1/devices", body);
  }

  async putOffer(offer: Offer): Promise<void> {
    await this.#json("PUT", "/v1/offers", offer);
  }

  async nextLease(waitS: number, signal?: AbortSignal): Promise<Grant | null> {
    const answer = await this.#json("POST", `/v1/leases/next?wait=${waitS}`, undefined, waitS + TIMEOUT_S, signal);
    return answer === null ? null : this.#read("a lease", () => grantFromJson(answer));
  }

  async heartbeat(key: LeaseKey): Promise<void> {
    await this.#json("POST", `${pathOf(key)}/heartbeat`);
  }

  async release(key: LeaseKey): Promise<void> {
    await this.#json("POST", `${pathOf(key)}/release`);
  }

  async submit(key: LeaseKey, work: Delivery, wantsNext: boolean): Promise<Grant | null> {
    const answer = await this.#json("POST", `${pathOf(key)}/results`, { ...deliveryToJson(work), next: wantsNext });
    const { accepted, next } = this.#read("an answer", () => objectAt(answer, "the answer"));
    if (accepted !== true) throw new MarketUnreachable("the market does not say that it accepted the results");
    return wantsNext ? offeredGrant(next) : null;
  }

  async getBlob(name: Hex, limitBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const [response, data] = await this.#fetch("GET", `/v1/blobs/${name}`, BLOB_TIMEOUT_S, limitBytes);
    if (data === null) throw new LeaseRefused(`blob ${name} has more than ${limitBytes} bytes`);
    if (response.status === 404) throw new LeaseRefused(`blob ${name} is not served`);
    check(response, data);
    return data;
  }

  async putBlob(blob: Uint8Array<ArrayBuffer>): Promise<void> {
    const init = { body: blob, headers: { "Content-Type": "application/octet-stream" } };
    const path = `/v1/blobs/${blobId(blob)}`;
    const [response, data] = await this.#fetch("PUT", path, BLOB_TIMEOUT_S, PROBLEM_BYTES_MAX, init);
    check(response, data ?? new Uint8Array());
  }

  async unfinalWei(device: Address): Promise<bigint | null> {
    try {
      const answer = await this.#json("GET", `/v1/devices/${device}`);
      return this.#read("a device", () =>
        bigUintFromJson(objectAt(answer, "the device").unfinal_wei, 128, "unfinal_wei"),
      );
    } catch (error) {
      if (error instanceof MarketRefused && error.status === 404) return null;
      throw error;
    }
  }

  async medianAsk(): Promise<bigint | null> {
    const answer = await this.#json("GET", "/v1/book");
    return this.#read("a book", () => medianAsk(asksOf(objectAt(answer, "the book").asks)));
  }

  async programs(): Promise<ListedProgram[]> {
    const answer = await this.#json("GET", "/v1/programs?limit=200");
    return this.#read("programs", () => {
      const { programs } = objectAt(answer, "the page");
      if (!Array.isArray(programs)) return [];
      return programs.map((facts: unknown) => {
        const { name } = objectAt(facts, "the program");
        return { name: typeof name === "string" ? name : null, facts };
      });
    });
  }

  // --- inside

  async #json(
    method: string,
    path: string,
    body?: object,
    timeoutS = TIMEOUT_S,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const headers = { "Content-Type": "application/json" };
    const init = body === undefined ? {} : { body: JSON.stringify(body), headers };
    const [response, data] = await this.#fetch(method, path, timeoutS, ANSWER_BYTES_MAX, init, signal);
    if (data === null) throw new MarketUnreachable(`${path} answers with more than ${ANSWER_BYTES_MAX} bytes`);
    check(response, data);
    if (!data.length) return null;
    try {
      return JSON.parse(new TextDecoder().decode(data)) as unknown;
    } catch (error) {
      throw new MarketUnreachable(`${path} does not answer with JSON`, 0, { cause: error });
    }
  }

  /** The answer with its body, all of it within the time; null for a body past its limit. */
  async #fetch(
    method: string,
    path: string,
    timeoutS: number,
    limitBytes: number,
    init: { body?: BodyInit; headers?: Record<string, string> } = {},
    signal?: AbortSignal,
  ): Promise<[Response, Uint8Array<ArrayBuffer> | null]> {
    const signals = [AbortSignal.timeout(timeoutS * 1000), signal, this.#closing].filter((one) => one !== undefined);
    const authorization: Record<string, string> = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    try {
      const response = await fetch(`${this.#origin}${path}`, {
        ...init,
        method,
        headers: { ...init.headers, ...authorization },
        signal: AbortSignal.any(signals),
        redirect: "error",
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
      });
      return [response, await bodyOf(response, response.ok ? limitBytes : PROBLEM_BYTES_MAX)];
    } catch (error) {
      throw new MarketUnreachable(`The market does not answer (${path})`, 0, { cause: error });
    }
  }

  /** What an answer says; one of another form is as good as none. */
  #read<T>(what: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new MarketUnreachable(`The market describes ${what} that is none: ${error.reason}`, 0, { cause: error });
    }
  }
}

function pathOf(key: LeaseKey): string {
  const { jobId, leaseId } = lookOf(key);
  return `/v1/leases/${jobId}/${leaseId}`;
}

function deliveryToJson({ results, outputs, blob, receipt, signature }: Delivery): Record<string, unknown> {
  const body = { results: results.map(resultToRow), outputs, receipt: Receipt.toJson(receipt), signature };
  return blob === null ? body : { ...body, outputsData: toBase64(blob) };
}

/** The lease that came with an acceptance; one that makes no sense is none: the results are accepted all the same. */
function offeredGrant(value: unknown): Grant | null {
  if (value === undefined || value === null) return null;
  try {
    return grantFromJson(value);
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

/** Throws what a status above 299 means. */
function check(response: Response, data: Uint8Array): void {
  const { status } = response;
  if (status < 300) return;
  const { code, detail, period } = problemIn(data);
  if (status === 401) throw new SessionRefused(`${code}: ${detail}`);
  if (status >= 500 || status === 429)
    throw new MarketUnreachable(`${status} ${code}: ${detail}`, retryAfter(response));
  throw new MarketRefused(status, code, detail, period);
}

async function bodyOf(response: Response, limitBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (response.body) {
    for await (const part of partsOf(response.body)) {
      size += part.length;
      parts.push(part);
      if (size > limitBytes) return response.ok ? null : concatBytes(parts).slice(0, limitBytes);
    }
  }
  return concatBytes(parts);
}

/** A stream's parts, the stream cancelled when nobody reads on; not every browser's streams can be iterated. */
async function* partsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

function problemIn(data: Uint8Array): { code: string; detail: string; period: number | null } {
  const text = new TextDecoder().decode(data);
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    return { code: "unknown", detail: printable(text.slice(0, 200)), period: null };
  }
  const { code, detail, period } = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return {
    code: typeof code === "string" ? printable(code) : "unknown",
    detail: typeof detail === "string" ? printable(detail) : "",
    period: Number.isSafeInteger(period) && (period as number) >= 0 ? (period as number) : null,
  };
}

/** A stranger's words for a page: short, and without control characters. */
function printable(text: string): string {
  return text.slice(0, TEXT_MAX).replace(/\p{C}/gu, "?");
}

function retryAfter(response: Response): number {
  const seconds = Number(response.headers.get("Retry-After") ?? "0");
  return Number.isFinite(seconds) ? Math.min(RETRY_AFTER_MAX_S, Math.max(0, seconds)) : 0;
}

function asksOf(levels: unknown): { priceWeiPerGWU: bigint; devices: number }[] {
  if (!Array.isArray(levels)) return [];
  return levels.map((level: unknown) => {
    const { priceWeiPerGWU, devices } = objectAt(level, "a level of asks");
    return {
      priceWeiPerGWU: bigUintFromJson(priceWeiPerGWU, 128, "price"),
      devices: checkUint(devices, 32, "devices"),
    };
  });
}
