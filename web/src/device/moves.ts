/**
 * What the state machine is told (events) and what it asks for (instructions): the same as in `worker/moves.py`.
 *
 * A step is an instruction that the machine waits for: it carries a ticket, and so does its answer. An answer with
 * another ticket than the last step's is stale and changes nothing. One step is outstanding at a time.
 */
import type { Bid, Hex, Receipt, TaskResult } from "../protocol/index.ts";
import type { Fact } from "./facts.ts";
import type { Grant, LeaseKey, Network } from "./grants.ts";

/** A task by its index in the job, with its input. */
export interface Task {
  readonly index: number;
  readonly input: Uint8Array;
}

/** The tasks of a lease in rising order, all checked against the bid, and their program's rewritten module. */
export interface Work {
  readonly bid: Bid;
  readonly module: WebAssembly.Module;
  readonly tasks: readonly Task[];
}

/** What the machine waits for. */
export type Step = { readonly ticket: number } & (
  | {
      /** Learn the network, open a session, put the offer up. */
      readonly do: "openSession";
    }
  | {
      /** Ask for a lease. */
      readonly do: "poll";
    }
  | {
      /** Fetch and check program and inputs, with heartbeats from here on. */
      readonly do: "prepare";
      readonly grant: Grant;
    }
  | {
      /** Run the prepared tasks. */
      readonly do: "execute";
      readonly work: Work;
    }
  | {
      /** Sign the receipt, record it, and send it with the outputs; `wantsNext` asks for a lease with the answer. */
      readonly do: "submit";
      readonly key: LeaseKey;
      readonly receipt: Receipt;
      readonly results: readonly TaskResult[];
      readonly outputs: Hex;
      readonly wantsNext: boolean;
    }
  | { readonly do: "wait"; readonly seconds: number }
);

/** A step by its name. */
export type StepOf<K extends Step["do"]> = Extract<Step, { do: K }>;

/** What the machine asks for. */
export type Instruction =
  | Step
  | {
      /** Write a fact to the journal, before any other instruction of the same answer is carried out. */
      readonly do: "record";
      readonly fact: Fact;
    }
  | {
      /** Stop the execution of this lease at once, and its heartbeats. */
      readonly do: "abort";
      readonly key: LeaseKey;
    }
  | {
      /** Give the lease back, if the market can be reached. */
      readonly do: "release";
      readonly key: LeaseKey;
      readonly reason: string;
    }
  | {
      /** Remove the outputs kept for sending again. */
      readonly do: "forget";
      readonly outputs: Hex;
    }
  | {
      /** End. `reason` is for the contributor; `isAsked` says that it was the contributor's wish. */
      readonly do: "stop";
      readonly reason: string;
      readonly isAsked: boolean;
    };

/** An answer to a step. */
export type Answer = { readonly ticket: number } & (
  | {
      /** A session is open until `expiresAt` (Unix seconds), on that network. */
      readonly is: "sessionOpened";
      readonly network: Network;
      readonly expiresAt: number;
    }
  | {
      /** The market has nothing to do at present. */
      readonly is: "noLease";
    }
  | {
      /** The contributor, or a condition, has paused this device. */
      readonly is: "paused";
    }
  | {
      /** The market handed out a lease; nothing of it is checked yet. */
      readonly is: "leaseGiven";
      readonly grant: Grant;
    }
  | {
      /** Program and inputs are there and are what the bid names, and seats attested the program. */
      readonly is: "workReady";
      readonly work: Work;
    }
  | { readonly is: "workRefused"; readonly reason: string }
  | {
      /** The results of the lease in task order; the outputs are stored under this blob id. */
      readonly is: "resultsComputed";
      readonly results: readonly TaskResult[];
      readonly outputs: Hex;
    }
  | {
      /** This device could not run a task. That is no result. */
      readonly is: "deviceFailed";
      readonly reason: string;
    }
  | {
      /** The market has taken the receipt; `grant` is the lease that came with its answer, not checked yet. */
      readonly is: "accepted";
      readonly grant: Grant | null;
    }
  | {
      /** The receipt's period was posted meanwhile; the market accepts this lease's results under `period`. */
      readonly is: "periodClosed";
      readonly period: number;
    }
  | {
      /** The market does not take the receipt. `code` is its stable code. */
      readonly is: "resultsRefused";
      readonly code: string;
      readonly reason: string;
    }
  | {
      /** The market does not know the session any more. */
      readonly is: "sessionLost";
    }
  | {
      /** No answer from the market, or one that says "later". */
      readonly is: "unreachable";
      readonly reason: string;
      readonly retryAfterS: number;
    }
  | { readonly is: "waited" }
);

/** An answer by its name. */
export type AnswerOf<K extends Answer["is"]> = Extract<Answer, { is: K }>;

/** What the machine is told. */
export type Event =
  | Answer
  | {
      /** The lease is not this device's any more (lease_expired, lease_fenced). */
      readonly is: "heartbeatRefused";
      readonly key: LeaseKey;
      readonly code: string;
    }
  | {
      /** The market says that this device was convicted. */
      readonly is: "deviceConvicted";
    }
  | {
      /** Finish the lease, then stop; asked twice: stop now. */
      readonly is: "shutdownAsked";
    };

const TROUBLE: readonly Answer["is"][] = ["sessionLost", "unreachable"];

/** Every legal answer to a step. */
export const ANSWERS: Readonly<Record<Step["do"], readonly Answer["is"][]>> = {
  openSession: ["sessionOpened", ...TROUBLE],
  poll: ["noLease", "leaseGiven", "paused", ...TROUBLE],
  prepare: ["workReady", "workRefused", ...TROUBLE],
  execute: ["resultsComputed", "deviceFailed"],
  submit: ["accepted", "periodClosed", "resultsRefused", ...TROUBLE],
  wait: ["waited"],
};
