import type { Schema } from "../../api/client";
import { amountOf, debitOf } from "../../protocol";
import type { Terms } from "./terms";

/** A quote of the market: wei, WU and prices (wei for a GWU) as bigint, times in seconds, `floorPpm` what it was asked for. */
export type Quote = {
  tasks: number;
  sampled: number;
  wuMin: bigint;
  wuMean: bigint;
  wuMax: bigint;
  taskLimitWU: bigint;
  spanTasks: number;
  price: bigint;
  priceLow: bigint;
  feePpm: number;
  cap: bigint;
  expectedCost: bigint;
  fees: bigint;
  surcharge: bigint;
  deduction: bigint;
  replayedPpm: number;
  floorPpm: number;
  devices: number;
  expectedSeconds: number;
  attestedSeconds: number;
  finalSeconds: number;
  drivers: string[];
};

/** What a lease may cost above its exact price by rounding (market/matching/policy.py). */
const ROUNDING_WEI = 3n;

/** The quote that the API told, asked for at `floorPpm`. */
export function quoteOf(body: Schema<"QuoteBody">, floorPpm: number): Quote {
  return {
    tasks: body.tasks,
    sampled: body.sampled,
    wuMin: BigInt(body.wuPerTask.min),
    wuMean: BigInt(body.wuPerTask.mean),
    wuMax: BigInt(body.wuPerTask.max),
    taskLimitWU: BigInt(body.taskLimitWU),
    spanTasks: body.spanTasks,
    price: BigInt(body.priceWeiPerGWU),
    priceLow: BigInt(body.priceRange.low),
    feePpm: body.feePpm,
    cap: BigInt(body.cap),
    expectedCost: BigInt(body.expectedCost),
    fees: BigInt(body.fees),
    surcharge: BigInt(body.verification.surcharge),
    deduction: BigInt(body.verification.deduction),
    replayedPpm: body.verification.replayedPpm,
    floorPpm,
    devices: body.capacity.devices,
    expectedSeconds: body.expectedSeconds,
    attestedSeconds: body.attestedSeconds,
    finalSeconds: body.finalSeconds,
    drivers: body.drivers,
  };
}

/** The expected pay of the devices alone, in wei. */
export const payOf = (quote: Quote): bigint => quote.expectedCost - quote.fees - quote.surcharge;

/** What an average task costs at the quoted price, in wei. */
export const taskPriceOf = (quote: Quote): bigint => amountOf(quote.wuMean, quote.price);

/** Spans of the quoted job. */
export const spansOfQuote = (quote: Quote): number => Math.ceil(quote.tasks / quote.spanTasks);

/** Wei that leasing reserves for one full span at its limit, for a rate floor. */
export function reserveOfSpan(quote: Quote, floorPpm: number): bigint {
  const amount = amountOf(BigInt(quote.spanTasks) * quote.taskLimitWU, quote.price);
  return debitOf(amount, quote.feePpm, floorPpm) + ROUNDING_WEI;
}

/** The budget that covers every task at its limit, for a rate floor: as the market works out its `cap`. */
export function capAt(quote: Quote, floorPpm: number): bigint {
  const spans = BigInt(spansOfQuote(quote));
  const amount = amountOf(spans * BigInt(quote.spanTasks) * quote.taskLimitWU, quote.price);
  return debitOf(amount, quote.feePpm, floorPpm) + ROUNDING_WEI * spans;
}

/** How far a budget goes. `tasks`: those that can surely be leased, each at its limit; more where tasks cost less. */
export type CapStanding = { kind: "covers" | "part" | "nothing"; tasks: number };

/** Judges a budget against a quote. */
export function capStanding(quote: Quote, floorPpm: number, budget: bigint): CapStanding {
  if (budget >= capAt(quote, floorPpm)) return { kind: "covers", tasks: quote.tasks };
  const spans = Number(budget / reserveOfSpan(quote, floorPpm));
  const tasks = Math.min(quote.tasks, spans * quote.spanTasks);
  return { kind: tasks > 0 ? "part" : "nothing", tasks };
}

/** Wei that a deposit must bring before a bid of this budget can open. */
export const missingDeposit = (budget: bigint, deposited: bigint): bigint =>
  budget > deposited ? budget - deposited : 0n;

/** What is locked when the bid opens, in wei: the buyer's own cap, or the quote's at the chosen floor. */
export const budgetOf = (quote: Quote, terms: Terms): bigint => terms.budget ?? capAt(quote, terms.floorPpm);
