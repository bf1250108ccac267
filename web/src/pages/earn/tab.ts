import type { DeviceSnapshot, DeviceState } from "../../device";
import { tokens, work } from "../../ui/numbers";

const AGREED = "multitude.earn.agreed";

/** Whether somebody in this browser profile has said yes to running programs in a tab. */
export const hasAgreed = (): boolean => localStorage.getItem(AGREED) === "yes";

/** Keeps the yes, or takes it back. */
export function keepAgreed(yes: boolean): void {
  if (yes) localStorage.setItem(AGREED, "yes");
  else localStorage.removeItem(AGREED);
}

/** What this tab's device does, in a word, a tone and a sentence; there is always a sentence for one that does not work. */
export type TabStatus = { word: string; tone: "good" | "info" | "warn" | "bad" | "plain"; text: string };

const STATUS: Record<DeviceState, TabStatus> = {
  loading: { word: "loading", tone: "plain", text: "The device is being loaded." },
  off: { word: "off", tone: "plain", text: "Nothing runs." },
  elsewhere: { word: "in another tab", tone: "info", text: "Another tab of this browser runs this device." },
  measuring: { word: "measuring", tone: "info", text: "Measuring how fast this browser is: a few seconds." },
  starting: { word: "starting", tone: "info", text: "Opening a session with the market." },
  waiting: { word: "waiting", tone: "info", text: "Asking for work: there is none for this device now." },
  working: { word: "working", tone: "good", text: "Working." },
  paused: { word: "paused", tone: "warn", text: "Paused." },
  finishing: { word: "finishing", tone: "info", text: "Finishing the work in hand, then off." },
  stopped: { word: "stopped", tone: "bad", text: "This device will not work any more." },
  failed: { word: "failed", tone: "bad", text: "Something in this browser failed." },
};

/** How to show the device's state, with its own reason where it gives one. */
export function statusOf({ state, reason }: Pick<DeviceSnapshot, "state" | "reason">): TabStatus {
  const status = STATUS[state];
  return reason ? { ...status, text: reason } : status;
}

/** A button for what the owner may do now. */
export type Control = "start" | "resume" | "pause" | "finish" | "stop" | "again";

/** What can be asked of the device now, the most likely first. */
export function controlsOf({ state, policy }: Pick<DeviceSnapshot, "state" | "policy">): Control[] {
  switch (state) {
    case "off":
      return ["start"];
    case "measuring":
    case "starting":
    case "waiting":
    case "working":
      return ["pause", "finish"];
    case "paused":
      return policy.isPaused ? ["resume", "finish"] : ["finish"];
    case "finishing":
      return ["stop"];
    case "failed":
      return ["again"];
    default:
      return [];
  }
}

const NS_PER_S = 1_000_000_000;
const SECONDS_PER_HOUR = 3_600;

/** WU a second of one Web Worker at so many ns for each. */
export const speedOf = (nsPerWU: number): bigint => BigInt(Math.floor(NS_PER_S / nsPerWU));

/** The benchmark's result in words, with what an hour of full work comes to at the price that is asked (null: unknown). */
export function benchmarkText({
  nsPerWU,
  ask,
  policy,
}: Pick<DeviceSnapshot, "nsPerWU" | "ask" | "policy">): string | null {
  if (nsPerWU === null || !(nsPerWU > 0)) return null;
  const speed = `Measured: ${work(speedOf(nsPerWU))} a second for each Web Worker.`;
  if (ask === null) return speed;
  const share = BigInt(policy.workers) * BigInt(policy.cpuPercent);
  const hour = (speedOf(nsPerWU) * share * BigInt(SECONDS_PER_HOUR) * ask) / (100n * BigInt(NS_PER_S));
  return `${speed} At the price asked now, an hour without a pause is worth ${tokens(hour, 3)} MANY at most, before deductions.`;
}
