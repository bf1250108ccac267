import type { Schema } from "../../api/client";
import { blobId, fromHex, type Hex } from "../../protocol";
import { fileNameOf, STATUS_NAMES } from "./output";
import type { SettledTask } from "./settled";

/** A task of the download: what results.json tells of it, and its output. */
export type BundledTask = {
  task: number;
  state: string;
  verified: boolean;
  replayed: boolean | null;
  status: string;
  wu: string;
  device: string;
  epoch: string | null;
  output: Uint8Array;
};

const statusOf = (status: number): string => STATUS_NAMES[status] ?? String(status);

/** Settled tasks for the download; `replayed` by task, as the events told. */
export const bundledSettled = (tasks: readonly SettledTask[], isReplayed: (task: number) => boolean): BundledTask[] =>
  tasks.map((one) => ({
    task: one.task,
    state: "final",
    verified: true,
    replayed: isReplayed(one.task),
    status: statusOf(one.status),
    wu: one.wu.toString(),
    device: one.device,
    epoch: one.epoch.toString(),
    output: one.output,
  }));

/** What the market tells of tasks that have an output, verified by nobody here. */
export const bundledTold = (results: readonly Schema<"ResultBody">[]): BundledTask[] =>
  results.flatMap((one) =>
    one.output === null || one.status === null
      ? []
      : [
          {
            task: one.task,
            state: one.state === "final" ? "final" : one.attested ? "attested" : "accepted",
            verified: false,
            replayed: one.drawn === null ? null : one.replayed,
            status: statusOf(one.status),
            wu: one.wu ?? "0",
            device: one.device ?? "",
            epoch: one.epoch === null ? null : String(one.epoch),
            output: fromHex(one.output as Hex),
          },
        ],
  );

/** results.json: every task with the name, size and content id of its output's file. */
export function resultsJson(job: Hex, program: Hex, taskCount: number, tasks: readonly BundledTask[]): string {
  const told = tasks.map(({ output, ...task }) => ({
    ...task,
    file: `outputs/${fileNameOf(task.task)}`,
    bytes: output.length,
    keccak256: blobId(output),
  }));
  return JSON.stringify({ job, program, taskCount, tasks: told }, null, 2);
}
