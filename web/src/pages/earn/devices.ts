import type { Address } from "viem";
import type { Schema } from "../../api/client";
import { duration } from "../../ui/numbers";

/** A device as StakeVault has it. */
export type DeviceFacts = {
  address: Address;
  owner: Address;
  convicted: boolean;
  openGames: number;
  unbondsAt: number;
  stake: bigint;
  unbonding: bigint;
};

/** A device as the market sees it. */
export type OwnedDevice = Schema<"OwnedDevice">;

/** A device of the owner: the chain's facts, and the market's where it knows the device. */
export type DeviceView = DeviceFacts & { market: OwnedDevice | null };

/** The chain's devices with what the market knows of each, those that are seen now before the silent ones. */
export function joinDevices(facts: readonly DeviceFacts[], known: readonly OwnedDevice[]): DeviceView[] {
  const byAddress = new Map(known.map((device) => [device.address, device]));
  return facts
    .map((fact) => ({ ...fact, market: byAddress.get(fact.address) ?? null }))
    .sort(
      (one, other) => (other.market?.seenAt ?? 0) - (one.market?.seenAt ?? 0) || compare(one.address, other.address),
    );
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0);

/** Health in a word, its tone, and a sentence on it. */
export type Health = { word: string; tone: "good" | "info" | "warn" | "bad" | "plain"; text: string };

const REFUSALS: Record<string, string> = {
  device_unbound: "It is bound to nobody yet.",
  device_accused: "A challenge against it is open: it gets no work until that is decided.",
  unattested_work:
    "It has too little stake for more than one lease at a time: the next comes when the last was checked.",
  unfinal_pay:
    "Its pay that is not final has reached its stake: more work comes when some of it is, or with more stake.",
};

/** How a device is at a time (Unix seconds). */
export function healthOf(device: DeviceView, now: number): Health {
  const { market } = device;
  if (device.convicted || market?.health === "convicted")
    return { word: "convicted", tone: "bad", text: "It was convicted: its stake is gone, and it gets no more work." };
  if (!market)
    return { word: "unknown here", tone: "plain", text: "It is bound to you on the chain; this market never saw it." };
  const refusal = market.refusal ? (REFUSALS[market.refusal] ?? `It gets no work now: ${market.refusal}.`) : "";
  if (market.health === "working") return { word: "working", tone: "good", text: workText(market) };
  if (market.health === "waiting")
    return {
      word: "waiting",
      tone: refusal ? "warn" : "info",
      text: refusal || "It asks for work, and there is none for it now.",
    };
  const text =
    market.seenAt === null ? "It never asked for work here." : `Last seen ${duration(now - market.seenAt)} ago.`;
  return { word: "silent", tone: "plain", text };
}

function workText({ inHand }: OwnedDevice): string {
  if (!inHand) return "It works.";
  const tasks = `${inHand.tasks} task${inHand.tasks === 1 ? "" : "s"}`;
  return `${tasks} of ${inHand.program ?? "a program"} in hand.`;
}

/** What went wrong so far: leases that ran out, tasks whose results were lost. */
export function failuresOf(market: OwnedDevice | null): string {
  if (!market || (market.leasesExpired === 0 && market.tasksLost === 0)) return "none";
  const parts = [];
  if (market.leasesExpired) parts.push(`${market.leasesExpired} lease${market.leasesExpired === 1 ? "" : "s"} ran out`);
  if (market.tasksLost) parts.push(`${market.tasksLost} task${market.tasksLost === 1 ? "" : "s"} lost`);
  return parts.join(", ");
}
