/** What stands at or beyond each price of the book, as steps over one range of prices. Pure. */
import type { Schema } from "../../api/client";
import { tokens } from "../../ui/numbers";

type Ask = Schema<"AskLevelBody">;
type Bid = Schema<"BidLevelBody">;

/** A step: from this price (MANY for a GWU) on, so much. */
export type Step = { readonly price: number; readonly value: number };

/**
 * Both sides over prices from `low` to `high`. `supply`: speed (WU a second) of the devices that ask at most a price,
 * rising; `demand`: work (WU at the limit) of the jobs that pay at least a price, falling.
 */
export type Depth = {
  readonly low: number;
  readonly high: number;
  readonly supply: readonly Step[];
  readonly demand: readonly Step[];
};

/** The depth of a book; null where nobody asks and nothing is wanted. */
export function depthOf(asks: readonly Ask[], bids: readonly Bid[]): Depth | null {
  const prices = [...asks, ...bids].map(({ priceWeiPerGWU }) => axisPrice(priceWeiPerGWU));
  if (prices.length === 0) return null;
  const [least, most] = [Math.min(...prices), Math.max(...prices)];
  const margin = (most - least) * 0.12 || most * 0.2 || 1;
  const low = Math.max(0, least - margin);
  return { low, high: most + margin, supply: supplySteps(asks, low), demand: demandSteps(bids, low) };
}

function supplySteps(asks: readonly Ask[], low: number): Step[] {
  let sum = 0;
  const steps = rising(asks).map(({ priceWeiPerGWU, wuPerSecond }) => {
    sum += wuPerSecond;
    return { price: axisPrice(priceWeiPerGWU), value: sum };
  });
  return [{ price: low, value: 0 }, ...steps];
}

function demandSteps(bids: readonly Bid[], low: number): Step[] {
  const levels = rising(bids);
  let left = levels.reduce((sum, { mostWU }) => sum + Number(mostWU), 0);
  const steps = [{ price: low, value: left }];
  for (const { priceWeiPerGWU, mostWU } of levels) {
    left -= Number(mostWU);
    steps.push({ price: axisPrice(priceWeiPerGWU), value: left });
  }
  return steps;
}

const rising = <Level extends { priceWeiPerGWU: string }>(levels: readonly Level[]): Level[] =>
  [...levels].sort((a, b) => (BigInt(a.priceWeiPerGWU) < BigInt(b.priceWeiPerGWU) ? -1 : 1));

/** A price in MANY as a number, for an axis only. */
export const axisPrice = (wei: string | bigint): number => Number(tokens(BigInt(wei)).replaceAll(",", ""));

/** The area under steps as a path; `x` and `y` place a price and a value, `y(0)` is its base. */
export function areaOf(
  steps: readonly Step[],
  high: number,
  x: (price: number) => number,
  y: (value: number) => number,
): string {
  const [first] = steps;
  if (!first) return "";
  const parts = [`M${x(first.price)} ${y(0)}V${y(first.value)}`];
  for (const { price, value } of steps.slice(1)) parts.push(`H${x(price)}V${y(value)}`);
  return `${parts.join("")}H${x(high)}V${y(0)}Z`;
}

/** Round prices between two, about `count` of them. */
export function ticksOf(low: number, high: number, count: number): number[] {
  const raw = (high - low) / count;
  const scale = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 5].find((factor) => factor * scale >= raw) ?? 10) * scale;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(6)),
  );
}
