import { concatHex, type Hex, toHex as toHexOf } from "viem";
import { storeWith } from "../../audit/blobs";
import type { EventArgs, ViewResult } from "../../chain/contracts";
import type { EventLog } from "../../chain/log";
import type { View } from "../../chain/views";
import {
  blobId,
  checkEntry,
  EPOCH_DATA_BYTES_MAX,
  entryTree,
  numberedLeaves,
  type NumberedLeaf,
  packedLeaf,
  parseEpochData,
  Receipt,
  type SignedLease,
  type Tree,
} from "../../protocol";
import { settledLeaves } from "./pending";

type Head = EventArgs<"EpochLedger", "Posted">["head"];

/** Leaves of one entry of an epoch that a claim takes together, with all that it says of them. */
export type Claim = {
  epochId: bigint;
  head: Head;
  entryIndex: number;
  leaves: NumberedLeaf[];
  tree: Tree;
  isForeign: boolean;
};

/** Fetches a blob by its id. */
export type GetBlob = (id: Hex, most: number) => Promise<Uint8Array>;

/** A blob from the market, whose bytes are what its id says. */
export const getBlob: GetBlob = async (id, most) => {
  const bytes = await storeWith(new Map())("data", id, most);
  if (!bytes) throw new Error("The market does not give the epoch's data.");
  if (blobId(bytes) !== id) throw new Error("The market gave other data than the epoch's.");
  return bytes;
};

/**
 * The claims of an epoch's leaves of these devices that the chain does not show settled, an entry each; the epoch's
 * data are checked against what was posted. Throws where they cannot be had or are others.
 */
export async function claimsOf(
  log: EventLog,
  epochId: bigint,
  devices: ReadonlySet<string>,
  get: GetBlob,
): Promise<Claim[]> {
  const posted = log.first("EpochLedger", "Posted", { epochId });
  if (!posted) throw new Error(`The chain has no epoch ${epochId}.`);
  const { head } = posted.args;
  const settled = settledLeaves(log);
  const returned = new Set(log.named("EpochLedger", "Returned", { epochId }).map(({ args }) => args.jobId));
  const places = numberedLeaves(parseEpochData(await get(head.dataId, EPOCH_DATA_BYTES_MAX)));
  const open = places.filter(
    ({ leaf: { receipt } }) =>
      devices.has(receipt.device) &&
      !returned.has(receipt.jobId) &&
      !settled.has(`${epochId} ${Receipt.structHash(receipt)}`),
  );
  const entries = [...new Set(open.map((place) => place.entryIndex))];
  return entries.map((entryIndex) => {
    const leaves = open.filter((place) => place.entryIndex === entryIndex);
    return { epochId, head, entryIndex, leaves, ...checkedTree(log, head, entryIndex, leaves) };
  });
}

function checkedTree(log: EventLog, head: Head, entryIndex: number, leaves: readonly NumberedLeaf[]) {
  const [posted, entry] = [head.entries[entryIndex], leaves[0]?.entry];
  const job = posted && log.first("JobEscrow", "JobOpened", { jobId: posted.jobId });
  if (!posted || !entry || !job) throw new Error(`The epoch has no entry ${entryIndex} of a job that was opened.`);
  checkEntry(entry, job.args.feePpm, posted);
  return { tree: entryTree(entry, job.args.feePpm), isForeign: head.settler !== job.args.settler };
}

/** What EpochLedger.claim takes: with the revealed verdicts of all who were drawn for these leaves. */
export async function claimArguments(view: View, log: EventLog, claim: Claim) {
  const { epochId, head, entryIndex, leaves, tree } = claim;
  const owners = await Promise.all(leaves.map(({ leaf }) => view("StakeVault", "deviceOf", [leaf.receipt.device])));
  const drawn = await Promise.all(leaves.map((place, index) => seatsOf(view, claim, place, owners[index])));
  const wanted = new Set(drawn.flat());
  const verdicts = log
    .named("Attestations", "Revealed", { epochId })
    .filter(({ args }) => wanted.has(args.verifier))
    .map(({ args: { verifier, verdicts, digests } }) => ({ verifier, verdicts, digests }));
  const bid = leaves[0]?.entry.bid;
  if (!bid) throw new Error("A claim of no leaves.");
  return [epochId, head, entryIndex, bid, packed(leaves, tree, claim.isForeign), verdicts] as const;
}

const seatsOf = (
  view: View,
  claim: Claim,
  place: NumberedLeaf,
  device: ViewResult<"StakeVault", "deviceOf"> | undefined,
) => {
  if (!device) throw new Error("A device without an owner.");
  return view("Attestations", "drawnSeats", [claim.epochId, claim.tree.leaf(place.leafIndex).hash, device.owner]);
};

/** Leaves as calldata has them, in the order of their indices; with their leases where another settler posted them. */
function packed(leaves: readonly NumberedLeaf[], tree: Tree, isForeign: boolean) {
  const inOrder = [...leaves].sort((one, other) => one.leafIndex - other.leafIndex);
  const proof = tree.sharedProof(inOrder.map((place) => place.leafIndex));
  return {
    packed: concatHex(inOrder.map(({ leafIndex, leaf }) => toHexOf(packedLeaf({ leafIndex, ...leaf })))),
    siblings: proof.map((node) => node.hash),
    siblingSums: proof.map((node) => node.sums[0] ?? 0n),
    leases: isForeign ? inOrder.map(({ leaf }) => leaf.leases.map(plainLease)) : [],
  };
}

const plainLease = ({ lease, signature }: SignedLease) => ({ lease, signature });
