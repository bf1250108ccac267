/**
 * What the contributor allows: price, processors, and when no new lease is taken, always with the reason.
 *
 * A lease in hand when a condition turns is finished, for leases are made to last seconds; one that takes longer than
 * FINISH_WITHIN_S from then on is given back. The contributor's own pause only keeps new leases away.
 */
import type { Address } from "../protocol/index.ts";
import type { Terms } from "./grants.ts";

/** Memory of one task at most, in pages of 64 KiB: what a tab can be expected to have. */
export const MEMORY_PAGES_MAX = 4_096;
export const FINISH_WITHIN_S = 60;
const SPANS_MAX = 64;

/** The contributor's wishes. Prices in wei per GWU; null asks what the middle one of the other devices asks. */
export interface DevicePolicy {
  readonly minPriceWeiPerGWU: bigint | null;
  /** Web Workers that run tasks at a time. */
  readonly workers: number;
  /** How much of its time each of them works, resting between tasks. */
  readonly cpuPercent: number;
  readonly pauseOnBattery: boolean;
  readonly pauseWhenHidden: boolean;
  readonly isPaused: boolean;
}

/** What the page tells of the machine; null where the browser does not say. */
export interface Conditions {
  readonly onBattery: boolean | null;
  readonly isHidden: boolean;
  readonly isOnline: boolean;
}

/** The offer as the market's API takes it. */
export interface Offer {
  readonly programs: null;
  readonly attestedOnly: true;
  readonly minPriceWeiPerGWU: string;
  readonly nsPerWU: number | null;
  readonly memoryPages: number;
}

/** The wishes of somebody who has not said any, on so many processors. */
export function defaultPolicy(cores: number): DevicePolicy {
  return {
    minPriceWeiPerGWU: null,
    workers: Math.max(1, Math.floor(cores / 2)),
    cpuPercent: 100,
    pauseOnBattery: true,
    pauseWhenHidden: false,
    isPaused: false,
  };
}

/** The wishes with some of them changed, each brought within its bounds. */
export function changed(policy: DevicePolicy, changes: Partial<DevicePolicy>, cores: number): DevicePolicy {
  const next = { ...policy, ...changes };
  const price = next.minPriceWeiPerGWU;
  return {
    ...next,
    minPriceWeiPerGWU: price === null || price < 0n || price >= 1n << 128n ? null : price,
    workers: within(next.workers, 1, Math.max(1, cores)),
    cpuPercent: within(next.cpuPercent, 1, 100),
  };
}

/** Why no new lease may be taken now, as a sentence; null where one may. */
export function reasonToRest(policy: DevicePolicy, conditions: Conditions): string | null {
  if (policy.isPaused) return "Paused by you.";
  if (!conditions.isOnline) return "Paused: this browser is offline.";
  if (policy.pauseOnBattery && conditions.onBattery === true) return "Paused: this computer runs on battery.";
  if (policy.pauseWhenHidden && conditions.isHidden) return "Paused: this tab is not in front.";
  return null;
}

/** Since when a condition has been asking for rest without a break, and what follows for a lease in hand. */
export class Patience {
  #since: number | null = null;

  /** Why the lease in hand is to be given back at `now` (Unix seconds); null to go on. */
  leave(policy: DevicePolicy, conditions: Conditions, now: number): string | null {
    const reason = reasonToRest({ ...policy, isPaused: false }, conditions);
    this.#since = reason === null ? null : (this.#since ?? now);
    return reason !== null && this.#since !== null && now - this.#since > FINISH_WITHIN_S ? reason : null;
  }
}

/** What is asked of every lease. */
export function termsOf(device: Address, minPriceWeiPerGWU: bigint): Terms {
  return { device, minPriceWeiPerGWU, memoryPagesMax: MEMORY_PAGES_MAX, spansMax: SPANS_MAX };
}

/** What is asked of the market. */
export function offerOf(minPriceWeiPerGWU: bigint, nsPerWU: number | null): Offer {
  return {
    programs: null,
    attestedOnly: true,
    minPriceWeiPerGWU: minPriceWeiPerGWU.toString(),
    nsPerWU,
    memoryPages: MEMORY_PAGES_MAX,
  };
}

function within(value: number, least: number, most: number): number {
  return Number.isFinite(value) ? Math.min(most, Math.max(least, Math.round(value))) : least;
}
