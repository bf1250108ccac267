/** The facts that a device's journal is made of, with their JSON forms: the same as in `worker/facts.py`. */
import { bigUintFromJson, checkHex } from "../protocol/encoding.ts";
import {
  EncodingInvalid,
  ProtocolError,
  Receipt,
  checkUint,
  resultFromRow,
  resultToRow,
  type Hex,
  type TaskResult,
} from "../protocol/index.ts";
import { JournalCorrupt } from "./errors.ts";
import {
  grantFromJson,
  grantToJson,
  keyOf,
  lookOf,
  networkFromJson,
  networkToJson,
  objectAt,
  type Grant,
  type LeaseKey,
  type Network,
} from "./grants.ts";

const OUTCOMES = ["accepted", "unknown", "lapsed", "dropped"] as const;

/**
 * How a lease ended. unknown: its receipt was signed and the market did not say that it has it. lapsed: accepted, and
 * its postBy passed before it was posted, so no receipt can carry it any more.
 */
export type Outcome = (typeof OUTCOMES)[number];

/** A fact about one lease. */
export type LeaseFact =
  | { readonly fact: "taken"; readonly key: LeaseKey; readonly grant: Grant }
  | {
      /** In task order, with the blob id of their outputs. They never change. */
      readonly fact: "results";
      readonly key: LeaseKey;
      readonly results: readonly TaskResult[];
      readonly outputs: Hex;
    }
  | {
      /** The lease's period was posted without it: its results belong to a later one. */
      readonly fact: "moved";
      readonly key: LeaseKey;
      readonly period: number;
    }
  | {
      /** The receipt that carries a lease's results, written before it is sent. */
      readonly fact: "signed";
      readonly key: LeaseKey;
      readonly receipt: Receipt;
      readonly signature: Hex;
    }
  | { readonly fact: "settled"; readonly key: LeaseKey; readonly outcome: Outcome };

/** What a journal holds. Replaying the facts in order gives the book again. */
export type Fact = { readonly fact: "network"; readonly network: Network } | LeaseFact | { readonly fact: "convicted" };

/** The fact that a lease was checked and taken. */
export function taken(grant: Grant): LeaseFact {
  return { fact: "taken", key: keyOf(grant.lease), grant };
}

/** The JSON form of a fact. */
export function factToJson(fact: Fact): Record<string, unknown> {
  switch (fact.fact) {
    case "network":
      return { fact: fact.fact, network: networkToJson(fact.network) };
    case "taken":
      return { fact: fact.fact, grant: grantToJson(fact.grant) };
    case "results":
      return { ...headOf(fact), results: fact.results.map(resultToRow), outputs: fact.outputs };
    case "moved":
      return { ...headOf(fact), period: fact.period };
    case "signed":
      return { ...headOf(fact), receipt: Receipt.toJson(fact.receipt), signature: fact.signature };
    case "settled":
      return { ...headOf(fact), outcome: fact.outcome };
    case "convicted":
      return { fact: fact.fact };
  }
}

/** The fact of its JSON form. JournalCorrupt says what is wrong. */
export function factFromJson(value: unknown): Fact {
  try {
    return read(objectAt(value, "a fact"));
  } catch (error) {
    if (error instanceof ProtocolError) throw new JournalCorrupt(`a malformed fact: ${error.reason}`, { cause: error });
    throw error;
  }
}

function headOf({ fact, key }: LeaseFact): Record<string, unknown> {
  const { jobId, leaseId } = lookOf(key);
  return { fact, jobId, leaseId: leaseId.toString() };
}

function read(fields: Record<string, unknown>): Fact {
  switch (fields.fact) {
    case "network":
      return { fact: "network", network: networkFromJson(fields.network) };
    case "taken":
      return taken(grantFromJson(fields.grant));
    case "results":
    case "moved":
    case "signed":
    case "settled":
      return readLeaseFact(fields.fact, keyOfJson(fields), fields);
    case "convicted":
      return { fact: "convicted" };
    default:
      throw new JournalCorrupt(`not a fact: ${String(fields.fact)}`);
  }
}

type AboutLease = Exclude<LeaseFact["fact"], "taken">;

function readLeaseFact(fact: AboutLease, key: LeaseKey, fields: Record<string, unknown>): LeaseFact {
  switch (fact) {
    case "results": {
      if (!Array.isArray(fields.results)) throw new EncodingInvalid("results is not a list");
      return {
        fact,
        key,
        results: fields.results.map(resultFromRow),
        outputs: checkHex(fields.outputs, 32, "outputs"),
      };
    }
    case "moved":
      return { fact, key, period: checkUint(fields.period, 32, "period") };
    case "signed":
      return {
        fact,
        key,
        receipt: Receipt.fromJson(fields.receipt),
        signature: checkHex(fields.signature, 65, "signature"),
      };
    case "settled": {
      const outcome = OUTCOMES.find((one) => one === fields.outcome);
      if (outcome === undefined) throw new EncodingInvalid(`outcome is ${String(fields.outcome)}`);
      return { fact, key, outcome };
    }
  }
}

function keyOfJson(fields: Record<string, unknown>): LeaseKey {
  const leaseId = bigUintFromJson(fields.leaseId, 64, "leaseId");
  return keyOf({ jobId: checkHex(fields.jobId, 32, "jobId"), leaseId });
}
