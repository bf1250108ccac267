// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Bid} from "./IMessages.sol";

enum JobPhase {
    None,
    Open,
    Closing, // takes effect at `closesAt`; postings still count until then
    Closed
}

/// @dev Three slots, in this order.
struct Job {
    address buyer;
    uint40 closesAt;
    uint40 lastPostedAt; // by its own settler; or when it was opened
    address settler;
    uint24 feePpm;
    JobPhase phase;
    uint32 period; // count of postings
    uint32 spansUnpaid;
    uint128 available; // budget not debited
    uint128 debited; // posted, not yet settled or returned
}

/// @notice Where a settled debit goes, token wei.
struct Payout {
    address[] accounts; // credited here, each as often as it comes
    uint128[] amounts;
    address vault; // gets `bonded` as tokens
    uint128 bonded;
}

/// @notice Buyers' deposits, jobs' budgets, and what claims have paid to anybody. Also the verifying contract of the EIP-712 domain.
interface IJobEscrow {
    /// @notice Thrown when a contract that only EpochLedger may call is called by another.
    error JobEscrow_NotLedger(address caller);
    /// @notice Thrown when a withdrawal or a budget is above the account's balance.
    error JobEscrow_BalanceTooLow(uint128 got, uint128 needed);
    /// @notice Thrown when a permit fails and the allowance does not cover the deposit either.
    error JobEscrow_AllowanceTooLow(uint256 got, uint256 needed);
    /// @notice Thrown when a job of this bid was opened before.
    error JobEscrow_AlreadyOpened(bytes32 jobId);
    /// @notice Thrown when the bid is signed neither by its buyer's key nor, for a contract, under EIP-1271.
    error JobEscrow_BadSignature(address buyer);
    /// @notice Thrown when the bid's program is not registered.
    error JobEscrow_UnknownProgram(bytes32 programId);
    /// @notice Thrown when the task limit is zero or above the program's.
    error JobEscrow_BadTaskLimit(uint64 got, uint64 maximum);
    /// @notice Thrown when a job has no tasks or more than 2^24.
    error JobEscrow_BadTaskCount(uint32 got);
    /// @notice Thrown when a span has no tasks or more than 256.
    error JobEscrow_BadSpanTasks(uint32 got);
    /// @notice Thrown when outputs may be larger than 1 MiB.
    error JobEscrow_OutputTooLarge(uint32 got, uint32 maximum);
    /// @notice Thrown when the rate floor is below 10,000 ppm or above 1,000,000.
    error JobEscrow_BadRateFloor(uint24 got);
    /// @notice Thrown when the bid's fee cap is above 30,000 ppm, or the settler's fee above the bid's cap.
    error JobEscrow_FeeTooHigh(uint24 got, uint24 maximum);
    /// @notice Thrown when the deadline has passed.
    error JobEscrow_DeadlinePassed(uint256 got, uint40 deadline);
    /// @notice Thrown when the settler's bond does not cover an epoch.
    error JobEscrow_NotBonded(address settler);
    /// @notice Thrown when the given bid is not the job's.
    error JobEscrow_WrongBid(bytes32 got, bytes32 needed);
    /// @notice Thrown when the job is not open, or not in a phase in which this can be done.
    error JobEscrow_WrongPhase(JobPhase got);
    /// @notice Thrown when somebody else than the buyer cancels.
    error JobEscrow_NotBuyer(address caller, address buyer);
    /// @notice Thrown when a job is closed before its deadline or its posting grace has passed.
    error JobEscrow_TooSoon(uint256 got, uint40 needed);
    /// @notice Thrown when a settler posts for a job that it may not post for (now).
    error JobEscrow_MayNotPost(bytes32 jobId, address settler);
    /// @notice Thrown when a posting exceeds the job's available budget.
    error JobEscrow_BudgetTooLow(uint128 got, uint128 needed);
    /// @notice Thrown when a span is paid already.
    error JobEscrow_SpanPaid(bytes32 jobId, uint32 word, uint256 spans);
    /// @notice Thrown when payments exceed the debit that they settle.
    error JobEscrow_PaymentsExceedDebit(uint128 got, uint128 debit);

    event Deposited(address indexed buyer, address indexed payer, uint128 amount);
    event Withdrawn(address indexed account, uint128 amount);
    event JobOpened(bytes32 indexed jobId, address indexed buyer, address indexed settler, uint24 feePpm, Bid bid);
    event JobDebited(bytes32 indexed jobId, address indexed settler, uint32 period, uint128 sum);
    event JobSettled(bytes32 indexed jobId, uint128 debit, uint128 spent, uint32 spans, address[] accounts, uint128[] amounts);
    event JobRestored(bytes32 indexed jobId, uint128 amount);
    event JobClosing(bytes32 indexed jobId, uint40 closesAt);
    event JobClosed(bytes32 indexed jobId, uint128 refunded);

    function deposit(uint128 amount) external;
    /// @notice Permit and deposit; a permit that was front-run falls back to the allowance.
    function depositWithPermit(uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
    /// @notice Sends msg.sender tokens out of its balance: deposits, refunds, and what claims paid to it.
    function withdraw(uint128 amount) external;
    function balanceOf(address account) external view returns (uint128);

    /// @notice Opens a job on the buyer's signature (EIP-1271 too), by anyone; locks the budget. The settler is the bid's, or where
    /// that is zero msg.sender; it must be bonded. feePpm is the settler's, at most bid.maxFeePpm. The program must be registered.
    function openJob(Bid calldata bid, bytes calldata signature) external returns (bytes32 jobId);
    /// @notice By anyone: refunds at once when every span is paid (and nothing is debited); past the deadline starts the posting
    /// grace; past the grace refunds what is available. What returns after that goes to the buyer's balance.
    function closeJob(bytes32 jobId, Bid calldata bid) external;
    /// @notice By the buyer: starts the posting grace.
    function cancelJob(bytes32 jobId) external;

    function jobOf(bytes32 jobId) external view returns (Job memory);
    function paidWord(bytes32 jobId, uint32 word) external view returns (uint256);
    /// @notice True when `settler` may post for the job: its own settler, or another bonded one in the second half of
    /// the grace of a closing job, or when its settler has posted nothing for a posting grace.
    function mayPost(bytes32 jobId, address settler) external view returns (bool);
    /// @notice The job's settler and its fee; zero for a job that was never opened.
    function settlerOf(bytes32 jobId) external view returns (address settler, uint24 feePpm);
    /// @notice The EIP-712 domain separator of Multitude's domain.
    function domainSeparator() external view returns (bytes32);
    /// @notice The EIP-712 digest of a struct hash in Multitude's domain.
    function digestOf(bytes32 structHash) external view returns (bytes32);

    // --- only EpochLedger
    /// @notice Moves `sum` from available to debited; returns the job's count of postings before this one.
    function debit(bytes32 jobId, address settler, uint128 sum) external returns (uint32 period);
    /// @notice Marks spans paid (all must be unset) and pays; what of debitSum is not paid returns to the job.
    /// The ledger has checked the set's form and range and that no two leaves of the claim share a span.
    function settle(bytes32 jobId, uint32 firstWord, uint256[] calldata words, uint128 debitSum, Payout calldata payout) external;
    /// @notice Returns a debit to its job (or to the buyer's balance once the job is closed).
    function restore(bytes32 jobId, uint128 amount) external;
}
