// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Bid, Lease, Receipt} from "./IMessages.sol";
import {EpochState, SeatVerdict} from "./IAttestations.sol";

/// @notice One job's part of an epoch, as it is posted.
struct Entry {
    bytes32 jobId;
    bytes32 subroot; // root of the job's receipt tree
    uint32 count; // leaves
    uint128 sum; // the tree's sum = the job's debit
}

/// @notice What an epoch commits to; its hash is stored, the whole comes in calldata when needed (and in the Posted event).
struct Head {
    address settler;
    bytes32 dataId; // blob id of the epoch's data
    uint32 snapshot; // of Seats
    uint40 postedAt;
    uint64 postBlock;
    Entry[] entries;
    uint32[] periods; // of each entry: the job's count of postings before this one
}

/// @notice A leaf with its path: where it stands in which epoch, and what it is.
struct LeafRef {
    uint64 epochId;
    Head head;
    uint32 entryIndex;
    uint32 leafIndex; // within the entry
    Receipt receipt;
    uint128 debit; // the leaf's sum
    bytes32[] siblings;
    uint128[] siblingSums;
}

struct SignedLease {
    Lease lease;
    bytes signature; // of the job's settler
}

/// @notice Leaves of one entry as they are claimed, all or some; debits are recomputed.
struct ClaimedLeaves {
    bytes packed; // libraries/PackedLeaf.sol, in the order of their indices
    bytes32[] siblings; // the nodes of their tree that they do not give; none where they are all leaves of the entry
    uint128[] siblingSums;
    SignedLease[][] leases; // only where the poster is not the job's settler: for each leaf those that cover its spans
}

/// @notice Where a claimed leaf's debit went, token wei (docs/protocol.md section 5).
struct LeafMoney {
    uint128 amount;
    uint128 fee;
    uint128 deduction;
    uint128 surcharge;
    uint128 paid; // to the owner
    uint128 bonded; // to the device's stake
}

/// @notice Settlement: epochs of receipts, and their claims.
/// @dev Warning: a head is checked against its hash only; whoever calls reads it from the Posted event.
interface IEpochLedger {
    /// @notice Thrown when a constructor parameter is zero.
    error EpochLedger_ParameterZero();
    /// @notice Thrown when an epoch has no entries, or more than 32.
    error EpochLedger_EntryCount(uint256 got);
    /// @notice Thrown when an entry has no leaves, or the epoch more than 128.
    error EpochLedger_LeafCount(uint256 got);
    /// @notice Thrown when a job comes twice in an epoch.
    error EpochLedger_JobTwice(bytes32 jobId);
    /// @notice Thrown when the head is not the one posted for the epoch.
    error EpochLedger_HeadMismatch(uint64 epochId);
    /// @notice Thrown when an entry's index is outside the head.
    error EpochLedger_NoEntry(uint32 entryIndex);
    /// @notice Thrown when the epoch is not in the state that the call needs.
    error EpochLedger_WrongState(EpochState got, EpochState needed);
    /// @notice Thrown when every leaf of the entry, or of the epoch, is settled.
    error EpochLedger_NothingLeft();
    /// @notice Thrown when nothing is claimed.
    error EpochLedger_NoLeaves();
    /// @notice Thrown when the bid is not the entry's job.
    error EpochLedger_BidMismatch(bytes32 got, bytes32 needed);
    /// @notice Thrown when a receipt or a lease is for another job.
    error EpochLedger_JobMismatch(bytes32 got, bytes32 needed);
    /// @notice Thrown when a receipt's period had not begun at the posting.
    error EpochLedger_PeriodAhead(uint32 got, uint32 most);
    /// @notice Thrown when the epoch was posted after the receipt's postBy.
    error EpochLedger_PostedLate(uint40 postedAt, uint40 postBy);
    /// @notice Thrown when a receipt's count is not the number of tasks in its spans.
    error EpochLedger_CountMismatch(uint32 got, uint32 needed);
    /// @notice Thrown when two leaves of one claim hold the same span.
    error EpochLedger_SpanTwice(uint256 word);
    /// @notice Thrown when the amount is above the bid's (or the lease's) price for the WU.
    error EpochLedger_PriceExceeded(uint128 amount, uint64 totalWU, uint128 mostWeiPerGWU);
    /// @notice Thrown when a receipt has no WU, or more than its tasks may cost.
    error EpochLedger_WorkOutside(uint64 totalWU, uint256 most);
    /// @notice Thrown when no tasks of these WU, each within the limit, have this sum of squares.
    error EpochLedger_SquaresOutside(uint128 totalSquaredWU);
    /// @notice Thrown when the expected replay is above what one leaf may cost its seats.
    error EpochLedger_ReplayTooLong(uint256 expectedWU, uint256 mostWU);
    /// @notice Thrown when the device is bound to no owner.
    error EpochLedger_DeviceUnbound(address device);
    /// @notice Thrown when the device was convicted.
    error EpochLedger_DeviceConvicted(address device);
    /// @notice Thrown while a game is open on the device.
    error EpochLedger_GameOpen(address device);
    /// @notice Thrown when the device's stake at the posting was below the bid's minimum.
    error EpochLedger_StakeTooLow(uint128 got, uint128 needed);
    /// @notice Thrown when a receipt or a lease is not signed by `signer`.
    error EpochLedger_SignatureInvalid(address signer);
    /// @notice Thrown when a lease is of another device, or ends before the receipt's postBy.
    error EpochLedger_LeaseMismatch(uint64 leaseId);
    /// @notice Thrown when a span of the receipt is in none of the signed leases.
    error EpochLedger_SpanNotLeased(uint256 word);
    /// @notice Thrown when a path does not lead to the entry's root and sum.
    error EpochLedger_PathInvalid(uint32 leafIndex);
    /// @notice Thrown when claimed leaves and siblings do not make the entry's tree.
    error EpochLedger_TreeInvalid(uint32 entryIndex);
    /// @notice Thrown when claimed leaves do not come in the order of their indices, each once.
    error EpochLedger_LeafOrder(uint32 leafIndex);
    /// @notice Thrown when a leaf was claimed, voided or returned before.
    error EpochLedger_LeafSettled(uint32 leafIndex);
    /// @notice Thrown when a leaf's challenge hung: it is void.
    error EpochLedger_LeafVoid(uint32 leafNumber);
    /// @notice Thrown when a leaf may not be voided: its device stands, no redraw and no game decided so.
    error EpochLedger_MayNotVoid(uint32 leafNumber);
    /// @notice Thrown before the claim time has passed.
    error EpochLedger_TooEarly(uint256 from);
    /// @notice Thrown when a task's draw is asked before the seed, or of a position or a receipt that cannot be.
    error EpochLedger_NoDraw(uint64 epochId);

    event Posted(uint64 indexed epochId, address indexed settler, Head head);
    event Claimed(uint64 indexed epochId, bytes32 indexed jobId, address indexed device, bytes32 receiptDigest, LeafMoney money);
    event LeafVoided(uint64 indexed epochId, bytes32 indexed jobId, address indexed device, bytes32 receiptDigest, uint128 debit);
    event EpochVoided(uint64 indexed epochId);
    event Returned(uint64 indexed epochId, bytes32 indexed jobId, uint128 amount);
    event EpochFinished(uint64 indexed epochId);

    /// @notice Posts receipts of 1 to 32 jobs (each once), 128 leaves at most; locks one epoch bond.
    function postEpoch(Entry[] calldata entries, bytes32 dataId) external returns (uint64 epochId);
    /// @notice Settles attested leaves of one entry after the window, by anyone; every check of docs/protocol.md section 5.
    /// Owners, seats and whoever posted the epoch (the fee) are credited in JobEscrow. Where the poster is not the job's
    /// settler, the leaves carry its leases. `verdicts` are the revealed verdicts of the verifiers drawn for these leaves.
    function claim(
        uint64 epochId,
        Head calldata head,
        uint32 entryIndex,
        Bid calldata bid,
        ClaimedLeaves calldata leaves,
        SeatVerdict[] calldata verdicts
    ) external;
    /// @notice Voids an unsettled leaf in any state: of a convicted device, or one whose game hung, by anyone; any by Attestations.
    /// Its debit returns to the job.
    function voidLeaf(LeafRef calldata leaf) external;
    /// @notice Voids an epoch whose seed did not come in time: debits return, the settler loses its epoch bond.
    function voidEpoch(uint64 epochId, Head calldata head) external;
    /// @notice Returns what was not claimed within the claim time to its job.
    function returnUnclaimed(uint64 epochId, Head calldata head, uint32 entryIndex) external;

    function headHash(uint64 epochId) external view returns (bytes32);
    function epochCount() external view returns (uint64);
    /// @notice Debit of an entry that is neither claimed, voided nor returned yet, and the bitmap of settled leaves.
    function outstanding(uint64 epochId, uint32 entryIndex) external view returns (uint128 sum, uint128 settledLeaves);
    /// @notice Checks the leaf's path; returns its hash, its number among all leaves of the epoch, and whether it is settled.
    function verifyLeaf(LeafRef calldata leaf) external view returns (bytes32 leafHash, uint32 leafNumber, bool settled);
    /// @notice True when task k (position in the receipt, of `wu`) is drawn for replay under the epoch's seed.
    function isDrawn(uint64 epochId, Head calldata head, Bid calldata bid, Receipt calldata receipt, uint32 k, uint64 wu) external view returns (bool);
}
