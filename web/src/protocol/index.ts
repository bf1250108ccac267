/**
 * What every party and the contracts agree on bit for bit: the browser's twin of Python's `protocol/`, with the rules
 * of running a task. Pure: no clock, no network, no React. `docs/protocol.md` is the agreement.
 *
 * Data are plain objects, fit for `postMessage` and IndexedDB. bytes32, ids, roots and signatures are `Hex` in lower
 * case, addresses checksummed, contents `Uint8Array`; uint64 and above are `bigint`, smaller integers `number`.
 */
export * from "./errors.ts";
export {
  UINT32_MAX,
  UINT64_MAX,
  UINT128_MAX,
  ZERO_ADDRESS,
  ZERO_BYTES32,
  checkUint,
  checksumAddress,
  concatBytes,
  equalBytes,
  fromHex,
  toHex,
  bigUintFromJson,
  checkBigUint,
  checkHex,
  type Address,
  type Bytes,
  type Hex,
} from "./encoding.ts";
export { keccak256 } from "./hashing.ts";
export { addressOf, recoverDigest, signDigest } from "./signing.ts";
export { domainOf, type Domain, type MessageType, type TypedMessage } from "./structs.ts";
export {
  Bid,
  Binding,
  FEE_MAX_PPM,
  Lease,
  RATE_FLOOR_MIN_PPM,
  Receipt,
  SPAN_TASKS_MAX,
  Session,
  checkBidRules,
  jobIdOf,
} from "./messages.ts";
export { Kind, PADDING, Tree, climb, combine, depthOf, leafHash, verifyProof, type Node } from "./merkle.ts";
export { EMPTY_ROOT, wordTree, wordsRoot } from "./words.ts";
export {
  Status,
  faultOf,
  inputTree,
  inputsRoot,
  receiptLeaf,
  receiptTree,
  resultFromRow,
  resultLeaf,
  resultOf,
  resultToRow,
  resultTree,
  type TaskResult,
} from "./trees.ts";
export {
  SPAN_WORDS_MAX,
  isInSpans,
  spanCount,
  spanSet,
  spanSetOf,
  spansHash,
  spansOf,
  taskCountOfSpans,
  tasksOfSpan,
  tasksOfSpans,
  type SpanSet,
} from "./spans.ts";
export { blobId, toCanonicalJson } from "./blobs.ts";
export {
  INLINE_BYTES_MAX,
  INPUTS_MAX,
  INPUT_BYTES_MAX,
  MANIFEST_BYTES_MAX,
  checkInput,
  checkManifest,
  encodeManifest,
  inputEntryOf,
  manifestInputsRoot,
  manifestOf,
  parseManifest,
  type InputEntry,
  type Manifest,
} from "./manifest.ts";
export { checkOutputs, decodeOutputs, encodeOutputs, outputsSizeMax } from "./outputBlob.ts";
export {
  EPOCH_DATA_BYTES_MAX,
  checkEntry,
  checkLeaf,
  encodeEpochData,
  entryTree,
  faultsOf,
  leaseSigner,
  numberedLeaves,
  parseEpochData,
  positionsOfLease,
  postedOf,
  wusOf,
  type EntryData,
  type EpochData,
  type LeafData,
  type NumberedLeaf,
  type PostedEntry,
  type SignedLease,
} from "./epochData.ts";
export {
  APPEAL_SEATS,
  PANEL_SEATS,
  PROGRAM_SEATS,
  REDRAW_SEATS,
  ballotSeats,
  ballotSeed,
  drawnTasks,
  epochSeed,
  isDrawn,
  missProbability,
  pPpm,
  panelSubject,
  priceOfTask,
  redrawSubject,
  seatsOfLeaf,
  wantedSeats,
  type Seat,
} from "./sampling.ts";
export {
  BONDED_TASKS,
  PPM,
  WU_PER_GWU,
  amountOf,
  checkReceipt,
  checkReplay,
  debitOf,
  feeOf,
  leafMoney,
  replayWU,
  rulePpm,
  sharesOf,
  type LeafMoney,
} from "./money.ts";
export {
  LEAVES_MAX,
  NOTHING_DRAWN,
  Verdict,
  ballotCommitment,
  checkVerdicts,
  commitmentOf,
  digestOfLeaf,
  digestsHash,
  stateDigest,
  storedHash,
  verdictsByLeaf,
  type Verdicts,
} from "./verdicts.ts";
export { Assurance, programId, type ProgramFacts } from "./program.ts";
export { packedLeaf, unpackedLeaves, type PackedLeaf } from "./claims.ts";
export { DeviceFailure, compileModule, runTask, type RunResult, type TaskLimits } from "./run.ts";
