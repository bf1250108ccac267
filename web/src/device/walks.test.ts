/** The state machine in lockstep with Python's: the walks of tests/vectors/device.json. */
import { expect, test } from "vitest";

import type { Address, Hex } from "../protocol/index.ts";
import { vectors } from "../protocol/vectors.ts";
import { factFromJson, factToJson, type Fact } from "./facts.ts";
import { grantFromJson, keyOf, lookOf, networkFromJson, type LeaseKey, type Terms } from "./grants.ts";
import type { Event, Instruction, Work } from "./moves.ts";
import { resultFromRow, Receipt } from "../protocol/index.ts";
import { Machine } from "./state.ts";

type Json = Record<string, unknown>;

interface Row {
  readonly now: number;
  readonly event: Json & { readonly is: Event["is"] | "start" };
  readonly said: readonly Json[];
  readonly phase: string;
}

interface Walks {
  readonly terms: { device: Address; minPriceWeiPerGWU: string; memoryPagesMax: number; spansMax: number };
  readonly walks: readonly { readonly grants: Json; readonly rows: readonly (Row | { readonly signed: Json })[] }[];
}

const { terms: told, walks } = vectors<Walks>("device");
const TERMS: Terms = { ...told, minPriceWeiPerGWU: BigInt(told.minPriceWeiPerGWU) };
const WORK = {} as Work;

function eventOf({ is, ...fields }: Row["event"], grants: Json): Event {
  const { ticket, ...rest } = fields as { ticket: number } & Json;
  switch (is as Event["is"]) {
    case "sessionOpened":
      return { is, ticket, network: networkFromJson(rest.network), expiresAt: rest.expiresAt as number } as Event;
    case "leaseGiven":
    case "accepted":
      return { is, ticket, grant: rest.grant && grantFromJson({ ...grants, ...(rest.grant as Json) }) } as Event;
    case "workReady":
      return { is, ticket, work: WORK } as Event;
    case "resultsComputed":
      return { is, ticket, results: (rest.results as unknown[]).map(resultFromRow), outputs: rest.outputs } as Event;
    case "heartbeatRefused":
      return { is, key: keyIn(rest), code: rest.code as string } as Event;
    default:
      return { is, ticket, ...rest } as Event;
  }
}

function keyIn({ jobId, leaseId }: Json): LeaseKey {
  return keyOf({ jobId: jobId as Hex, leaseId: BigInt(leaseId as string) });
}

/** An instruction as the vectors tell it: without its reason, grants by their key. */
function toldOf(one: Instruction): Json {
  switch (one.do) {
    case "record": {
      const fact = factToJson(one.fact);
      if (one.fact.fact === "taken") return { do: one.do, fact: { fact: "taken", ...named(one.fact.key) } };
      return { do: one.do, fact };
    }
    case "abort":
    case "release":
      return { do: one.do, ...named(one.key) };
    case "forget":
      return { do: one.do, outputs: one.outputs };
    case "stop":
      return { do: one.do };
    case "prepare":
      return { do: one.do, ticket: one.ticket, ...named(keyOf(one.grant.lease)) };
    case "submit": {
      const { ticket, key, receipt, outputs, wantsNext } = one;
      return { do: one.do, ticket, ...named(key), receipt: Receipt.toJson(receipt), outputs, wantsNext };
    }
    case "wait":
      return { do: one.do, ticket: one.ticket, seconds: expect.closeTo(one.seconds, 6) as unknown };
    default:
      return { do: one.do, ticket: one.ticket };
  }
}

function named(key: LeaseKey): Json {
  const { jobId, leaseId } = lookOf(key);
  return { jobId, leaseId: leaseId.toString() };
}

test.each(walks.map((walk, number) => ({ number, ...walk })))(
  "machine_answers as Python's on walk $number",
  ({ grants, rows }) => {
    const facts: Fact[] = [];
    let machine = new Machine(TERMS, () => 0.5);
    for (const row of rows) {
      if ("signed" in row) {
        const fact = factFromJson(row.signed);
        machine.book.apply(fact);
        facts.push(fact);
        continue;
      }
      // A restart reads its facts back from their JSON, as from a journal.
      const kept = facts.map((fact) => factFromJson(JSON.parse(JSON.stringify(factToJson(fact)))));
      if (row.event.is === "start") machine = new Machine(TERMS, () => 0.5, kept);
      const said =
        row.event.is === "start" ? machine.start(row.now) : machine.handle(eventOf(row.event, grants), row.now);
      expect(row.said, JSON.stringify(row.event)).toEqual(said.map(toldOf).map(withoutBlobs));
      expect(machine.phase).toBe(row.phase);
      facts.push(...said.flatMap((one) => (one.do === "record" ? [one.fact] : [])));
    }
  },
);

/** Python's journal keeps where blobs are; a tab fetches them from its own origin. */
function withoutBlobs(one: Json): Json {
  const fact = one.fact as (Json & { network?: Json }) | undefined;
  if (fact?.network === undefined) return one;
  return { ...one, fact: { ...fact, network: expect.objectContaining(fact.network) as unknown } };
}
