import type { Schema } from "../../api/client";
import { amountOf } from "../../protocol";

/** Asks above so many times the median ask are left out, as the market does for quotes. */
const OUTLIER = 10n;

/** What devices ask now, wei for a GWU; null where nobody asks. */
export function asksNow(levels: readonly Schema<"AskLevelBody">[]): { low: bigint; high: bigint } | null {
  const asks = levels
    .flatMap((level) => Array.from({ length: level.devices }, () => BigInt(level.priceWeiPerGWU)))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const median = asks[Math.floor((asks.length - 1) / 2)];
  if (median === undefined) return null;
  const sensible = asks.filter((ask) => ask <= median * OUTLIER);
  return { low: sensible[0] ?? median, high: sensible.at(-1) ?? median };
}

/** What tasks of these WU cost at a price, in wei: pay and the settler's fee, without checks above the rule. */
export function priceOfTasks(wus: readonly bigint[], price: bigint, feePpm: number): bigint {
  const pay = wus.reduce((sum, wu) => sum + amountOf(wu, price), 0n);
  return pay + (pay * BigInt(feePpm)) / 1_000_000n;
}
