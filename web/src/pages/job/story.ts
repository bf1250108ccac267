import type { LiveEvent } from "../../api/live";
import { tasksIn } from "./tasks";

/** One line of a job's story for a person. */
export type StoryLine = { id: number; at: number; text: string; tone: "plain" | "good" | "warn" | "bad" };

const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");
const device = (event: LiveEvent): string => {
  const address = text(event.data.device);
  return address ? `device ${address.slice(0, 8)}…` : "a device";
};

type Teller = (event: LiveEvent, tasks: string) => string;

const TELLERS: Record<string, Teller> = {
  "job.submitted": (event) => `The bid was taken: ${text(event.data.tasks)} tasks`,
  "job.opened": () => "The chain has locked the budget: the job is open",
  "job.refused": (event) => `The chain refused the job: ${text(event.data.reason)}`,
  "job.closing": (event) => `The job closes${event.data.closesAt ? ` at ${clockOf(Number(event.data.closesAt))}` : ""}`,
  "job.closed": () => "The job is closed; what was left of the budget is in the escrow balance",
  "job.finished": () => "Every task is final",
  "span.leased": (event, tasks) => `${tasks} leased to ${device(event)}`,
  "span.accepted": (event, tasks) => `${tasks} accepted from ${device(event)}`,
  "span.committed": (event, tasks) => `${tasks} committed in epoch ${text(event.data.epoch)}`,
  "span.drawn": (event, tasks) => `${tasks} drawn for replay in epoch ${text(event.data.epoch)}`,
  "span.attested": (event, tasks) => `${tasks} attested in epoch ${text(event.data.epoch)}`,
  "span.final": (event, tasks) => `${tasks} final in epoch ${text(event.data.epoch)}`,
  "span.voided": (event, tasks) => `${tasks} voided in epoch ${text(event.data.epoch)}: the work is taken back`,
  "span.open": (event, tasks) => `${tasks} open again${event.data.reason ? `: ${text(event.data.reason)}` : ""}`,
  "epoch.state": (event) => `Epoch ${text(event.data.epoch)} is ${text(event.data.state)}`,
  "device.convicted": (event) => `${device(event)} was convicted of a wrong result and lost its stake`,
};

const TONES: Record<string, StoryLine["tone"]> = {
  "job.refused": "bad",
  "span.voided": "bad",
  "device.convicted": "bad",
  "span.open": "warn",
  "job.closing": "warn",
  "span.final": "good",
  "job.finished": "good",
  "job.closed": "good",
};

/** The line of an event in a job of `count` tasks. */
export function lineOf(event: LiveEvent, count: number): StoryLine {
  const found = tasksIn(event, count);
  const tasks = found === 1 ? "1 task" : `${found === 0 ? "No" : found.toLocaleString("en-US")} tasks`;
  const told = TELLERS[event.type]?.(event, tasks) ?? event.type;
  const again = event.data.reorganised === true ? " (the chain took its last blocks back)" : "";
  const at = Number(event.data.at);
  return { id: event.id, at: Number.isFinite(at) ? at : 0, text: told + again, tone: TONES[event.type] ?? "plain" };
}

/** "14:05:09" of Unix seconds, local time. */
export const clockOf = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString("en-GB");
