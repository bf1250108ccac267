import { decodeFunctionData, encodeFunctionData, type Address, type Hex } from "viem";
import { expect, test } from "vitest";
import { ABIS } from "../../chain/contracts";
import { type ChainEvent, EventLog } from "../../chain/log";
import type { View } from "../../chain/views";
import { parseEpochData, Receipt } from "../../protocol";
import { vectors } from "../../protocol/vectors";
import { claimArguments, claimsOf } from "./claim";

type File = {
  blob: string;
  dataId: Hex;
  feePpm: string;
  posted: { jobId: Hex; subroot: Hex; count: string; sum: string }[];
};

const file = vectors<File>("epochs");
const blob = new TextEncoder().encode(file.blob);
const data = parseEpochData(blob);
const entries = file.posted.map((entry) => ({ ...entry, count: Number(entry.count), sum: BigInt(entry.sum) }));
const head = {
  settler: data.settler,
  dataId: file.dataId,
  snapshot: 1,
  postedAt: 2,
  postBlock: 3n,
  entries,
  periods: [0],
};
const everybody = new Set<string>(data.entries.flatMap((entry) => entry.leaves.map((leaf) => leaf.receipt.device)));
const SEAT = `0x${"aa".repeat(20)}` as Address;
const OTHER = `0x${"bb".repeat(20)}` as Address;
const EPOCH = 7n;

let index = 0;
const event = (contract: string, name: string, args: object) =>
  ({ contract, name, args, block: 1, logIndex: ++index, tx: "0x" }) as unknown as ChainEvent;
const logOf = (settler: Address, ...more: ChainEvent[]) =>
  new EventLog(
    [
      event("EpochLedger", "Posted", { epochId: EPOCH, settler: data.settler, head }),
      ...entries.map(({ jobId }) => event("JobEscrow", "JobOpened", { jobId, settler, feePpm: Number(file.feePpm) })),
      event("Attestations", "Revealed", { epochId: EPOCH, verifier: SEAT, verdicts: 5n, digests: [] }),
      event("Attestations", "Revealed", { epochId: EPOCH, verifier: OTHER, verdicts: 5n, digests: [] }),
      ...more,
    ],
    { number: 9, hash: "0x", timestamp: 0 },
  );
const view = ((_contract: string, name: string) =>
  Promise.resolve(name === "deviceOf" ? { owner: OTHER } : [SEAT])) as unknown as View;
const get = () => Promise.resolve(blob);

test("claimsOf_other_data_than_what_was_posted_is_refused", async () => {
  const posted = entries.map((entry) => ({ ...entry, sum: entry.sum + 1n }));
  const log = new EventLog(
    logOf(data.settler).events.map((one) =>
      one.name === "Posted"
        ? event("EpochLedger", "Posted", { epochId: EPOCH, head: { ...head, entries: posted } })
        : one,
    ),
    { number: 9, hash: "0x", timestamp: 0 },
  );
  await expect(claimsOf(log, EPOCH, everybody, get)).rejects.toThrow();
});
test("claimsOf_an_epoch_that_the_chain_does_not_have_is_refused", async () =>
  await expect(claimsOf(logOf(data.settler), 8n, everybody, get)).rejects.toThrow("no epoch 8"));
test("claimsOf_nobody_s_devices_are_none", async () =>
  expect(await claimsOf(logOf(data.settler), EPOCH, new Set(), get)).toEqual([]));
test("claimsOf_leaves_out_what_is_settled", async () => {
  const whole = await claimsOf(logOf(data.settler), EPOCH, everybody, get);
  const first = whole[0]?.leaves[0]?.leaf.receipt;
  const ended = event("EpochLedger", "Claimed", { epochId: EPOCH, receiptDigest: first && Receipt.structHash(first) });
  const left = await claimsOf(logOf(data.settler, ended), EPOCH, everybody, get);
  const count = (claims: typeof whole) => claims.reduce((sum, claim) => sum + claim.leaves.length, 0);
  const all = data.entries.reduce((sum, entry) => sum + entry.leaves.length, 0);
  expect([count(whole), count(left)]).toEqual([all, all - 1]);
  const returned = event("EpochLedger", "Returned", { epochId: EPOCH, jobId: entries[0]?.jobId });
  const rest = await claimsOf(logOf(data.settler, returned), EPOCH, everybody, get);
  expect(rest.map((claim) => claim.entryIndex)).toEqual(entries.slice(1).map((_, at) => at + 1));
});
test("claim_of_a_whole_entry_encodes_with_the_drawn_seats_alone_and_no_siblings", async () => {
  const log = logOf(data.settler);
  for (const claim of await claimsOf(log, EPOCH, everybody, get)) {
    const args = await claimArguments(view, log, claim);
    const call = { abi: ABIS.EpochLedger, functionName: "claim" } as const;
    const decoded = decodeFunctionData({ ...call, data: encodeFunctionData({ ...call, args }) });
    expect(decoded.functionName).toBe("claim");
    const [, , , , leaves, verdicts] = args;
    expect(leaves.leases).toEqual([]);
    if (claim.leaves.length === claim.tree.count) expect(leaves.siblings).toEqual([]);
    expect(verdicts.map((one) => one.verifier)).toEqual([SEAT]);
  }
});
test("claim_of_another_settler_s_posting_carries_its_leases", async () => {
  const log = logOf(OTHER);
  const [claim] = await claimsOf(log, EPOCH, everybody, get);
  const args = claim && (await claimArguments(view, log, claim));
  expect(args?.[4].leases.map((leases) => leases.length)).toEqual(claim?.leaves.map(({ leaf }) => leaf.leases.length));
});
