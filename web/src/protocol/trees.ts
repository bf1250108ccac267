/** The trees of results, receipts and inputs (section 3), kinds 1 to 3. */
import { listOf } from "./blobs.ts";
import { bigUintFromJson, checkBigUint, checkHex, checkUint, wordsOf, type Hex } from "./encoding.ts";
import { EncodingInvalid } from "./errors.ts";
import { Kind, Tree, leafHash, type Node } from "./merkle.ts";
import { Receipt, type Bid } from "./messages.ts";
import { EMPTY_ROOT, wordsRoot } from "./words.ts";

/** How a task ended. One that is not OK has an empty output and costs its full limit. */
export const Status = { OK: 0, TRAP: 1, WU_LIMIT: 2, OUTPUT_TOO_LONG: 3 } as const;
export type Status = (typeof Status)[keyof typeof Status];

/**
 * What a device says of one task: index in the job, length and wordsRoot of the output, cost in WU, status.
 *
 * A device may sign what no run can give, an unknown status too; `faultOf` then says so.
 */
export interface TaskResult {
  readonly taskIndex: number;
  readonly outputLength: bigint;
  readonly outputRoot: Hex;
  readonly wu: bigint;
  readonly status: number;
}

/** The result of a task with this output. */
export function resultOf(taskIndex: number, output: Uint8Array, wu: bigint, status: Status = Status.OK): TaskResult {
  return { taskIndex, outputLength: BigInt(output.length), outputRoot: wordsRoot(output), wu, status };
}

/** The JSON row of a result: [taskIndex, outputLength, outputRoot, wu, status]. */
export function resultToRow({ taskIndex, outputLength, outputRoot, wu, status }: TaskResult): unknown[] {
  return [taskIndex, outputLength.toString(), outputRoot, wu.toString(), status];
}

/** The result of its JSON row; EncodingInvalid says what is wrong. */
export function resultFromRow(value: unknown): TaskResult {
  const row = listOf(value, 5, "fields of a result");
  if (row.length !== 5) throw new EncodingInvalid(`a result has 5 fields, not ${row.length}`);
  return {
    taskIndex: checkUint(row[0], 32, "taskIndex"),
    outputLength: bigUintFromJson(row[1], 64, "outputLength"),
    outputRoot: checkHex(row[2], 32, "outputRoot"),
    wu: bigUintFromJson(row[3], 64, "wu"),
    status: checkUint(row[4], 8, "status"),
  };
}

/** The result leaf, its sums wu and wu^2. EncodingInvalid if a field is out of range. */
export function resultLeaf(result: TaskResult): Node {
  const wu = checkBigUint(result.wu, 64, "wu");
  const fields = wordsOf([
    checkUint(result.taskIndex, 32, "taskIndex"),
    checkBigUint(result.outputLength, 64, "outputLength"),
    checkHex(result.outputRoot, 32, "outputRoot"),
    wu,
    checkUint(result.status, 8, "status"),
  ]);
  return { hash: leafHash(Kind.RESULT, fields), sums: [wu, wu * wu] };
}

/** The results of a receipt, leaf k being the k-th task of its spans; `top.sums` is [totalWU, totalSquaredWU]. */
export function resultTree(results: readonly TaskResult[]): Tree {
  return new Tree(Kind.RESULT, results.map(resultLeaf));
}

/** Why no run of this task of the bid's job gives this result, as far as that shows without a run; else null. */
export function faultOf(result: TaskResult, taskIndex: number, bid: Bid): string | null {
  const { outputLength, outputRoot, status, wu } = result;
  if (result.taskIndex !== taskIndex) return `the result of task ${result.taskIndex} stands for task ${taskIndex}`;
  if (status > Status.OUTPUT_TOO_LONG) return `status ${status} is unknown`;
  if (wu < 1n || wu > bid.taskLimitWU) return `${wu} WU, not 1 to ${bid.taskLimitWU}`;
  if (outputLength > BigInt(bid.maxOutputBytes)) return `${outputLength} bytes of output, above ${bid.maxOutputBytes}`;
  if (outputLength === 0n && outputRoot !== EMPTY_ROOT) return "an empty output with the root of another";
  if (status !== Status.OK && (outputLength !== 0n || wu !== bid.taskLimitWU)) {
    return "a task that is not ok has an empty output and costs its limit";
  }
  return null;
}

/** The receipt's leaf, its sum the debit in wei (`debitOf`). */
export function receiptLeaf(receipt: Receipt, debit: bigint): Node {
  return { hash: leafHash(Kind.RECEIPT, Receipt.encode(receipt)), sums: [checkBigUint(debit, 128, "debit")] };
}

/** The receipts of one job in one epoch, with their debits in wei; `top.sums` is [the job's debit]. */
export function receiptTree(leaves: readonly (readonly [Receipt, bigint])[]): Tree {
  return new Tree(
    Kind.RECEIPT,
    leaves.map(([receipt, debit]) => receiptLeaf(receipt, debit)),
  );
}

/** The inputs of a job as (byte length, wordsRoot), in task order. */
export function inputTree(inputs: readonly (readonly [bigint | number, Hex])[]): Tree {
  return new Tree(
    Kind.INPUT,
    inputs.map(([length, root]) => ({ hash: leafHash(Kind.INPUT, wordsOf([length, root])), sums: [] })),
  );
}

/** inputsRoot of a bid over these inputs, in task order. */
export function inputsRoot(inputs: readonly Uint8Array[]): Hex {
  return inputTree(inputs.map((data) => [data.length, wordsRoot(data)] as const)).root;
}
