/** What the page sees of the device, and what page and worker say to each other. Types alone: nothing here is code. */
import type { Address, Hex, TypedMessage } from "../protocol/index.ts";
import type { Conditions, DevicePolicy } from "./policy.ts";

/** How the device stands, in the order in which a good day goes. */
export type DeviceState =
  /** The worker starts, and learns the network. */
  | "loading"
  /** Never started, or finished. */
  | "off"
  /** Another tab of this browser runs the device; this one takes over when that one closes. */
  | "elsewhere"
  /** The short benchmark of the first start. */
  | "measuring"
  /** On the way to a session. */
  | "starting"
  /** For a lease. */
  | "waiting"
  /** A lease is in hand. */
  | "working"
  | "paused"
  /** Finishes the lease, then off. */
  | "finishing"
  /** Will not work any more. */
  | "stopped"
  /** A defect, or damaged storage; `start` tries again. */
  | "failed";

/** The lease in hand. */
export interface LeaseView {
  readonly jobId: Hex;
  readonly leaseId: string;
  readonly tasks: number;
  readonly tasksDone: number;
  readonly priceWeiPerGWU: bigint;
}

/** Money of this device in wei: pending by the market's word, the rest by the chain's. */
export interface Earned {
  /** Accepted, and neither claimed nor lost. */
  readonly pending: bigint;
  /** Of claims, added to the device's stake. */
  readonly bonded: bigint;
  /** Of claims, credited to its owner. */
  readonly paid: bigint;
  /** What the device has at stake now. */
  readonly stake: bigint;
}

/** The device at a moment. */
export interface DeviceSnapshot {
  readonly state: DeviceState;
  /** Why it is paused, waits elsewhere, stopped or failed: one sentence. */
  readonly reason: string | null;
  readonly device: Address | null;
  /** Whom the chain says it is bound to. */
  readonly owner: Address | null;
  /** Whether the chain was asked yet. */
  readonly ownerKnown: boolean;
  /** The market has both signatures and the chain does not show the binding yet. */
  readonly binding: boolean;
  readonly lease: LeaseView | null;
  /** Accepted by the market, ever. */
  readonly tasksDone: number;
  readonly wu: bigint;
  /** What those are worth before deductions, in wei. */
  readonly accepted: bigint;
  readonly earned: Earned | null;
  /** The speed that is offered. */
  readonly nsPerWU: number | null;
  /** What is asked now, wei per GWU. */
  readonly ask: bigint | null;
  readonly policy: DevicePolicy;
  readonly cores: number;
  /** Whether this browser tells about the battery. */
  readonly batteryKnown: boolean;
  /** The newest trouble; null after the next success. */
  readonly lastError: string | null;
}

/** What the worker's host does for the page. */
export type Order =
  | { readonly do: "start" | "pause" | "finish" }
  | { readonly do: "policy"; readonly changes: Partial<DevicePolicy> }
  | { readonly do: "conditions"; readonly conditions: Conditions }
  | { readonly do: "typed"; readonly id: number; readonly owner: Address }
  | { readonly do: "bind"; readonly id: number; readonly owner: Address; readonly signature: Hex };

/** What the page is told. */
export type Word =
  | { readonly is: "snapshot"; readonly snapshot: DeviceSnapshot }
  | { readonly is: "answer"; readonly id: number; readonly typed?: TypedMessage; readonly error?: string };
