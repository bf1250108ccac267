// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IJobEscrow, Job, JobPhase, Payout} from "../interfaces/IJobEscrow.sol";
import {Bid} from "../interfaces/IMessages.sol";
import {IProgramRegistry} from "../interfaces/IProgramRegistry.sol";
import {ISeats} from "../interfaces/ISeats.sol";
import {Messages} from "../libraries/Messages.sol";
import {Spans} from "../libraries/Spans.sol";

/// @title Buyers' deposits, jobs' budgets, and what claims have paid
contract JobEscrow is IJobEscrow, EIP712 {
    using SafeERC20 for IERC20;

    uint32 private constant MAX_TASKS = 1 << 24;
    uint32 private constant MAX_SPAN_TASKS = 256;
    uint32 private constant MAX_OUTPUT_BYTES = 1 << 20;
    uint24 private constant MIN_RATE_FLOOR_PPM = 10_000;
    uint24 private constant MAX_RATE_FLOOR_PPM = 1_000_000;
    uint24 private constant MAX_FEE_PPM = 30_000;

    IERC20 public immutable token;
    IProgramRegistry public immutable programs;
    ISeats public immutable seats;
    address public immutable ledger;
    uint40 public immutable postingGrace_s;

    mapping(address account => uint128) public balanceOf;
    mapping(bytes32 jobId => Job) private _jobs;
    mapping(bytes32 jobId => mapping(uint32 word => uint256)) public paidWord;

    modifier onlyLedger() {
        if (msg.sender != ledger) revert JobEscrow_NotLedger(msg.sender);
        _;
    }

    constructor(IERC20 token_, IProgramRegistry programs_, ISeats seats_, address ledger_, uint40 postingGrace_s_)
        EIP712("Multitude", "1")
    {
        token = token_;
        programs = programs_;
        seats = seats_;
        ledger = ledger_;
        postingGrace_s = postingGrace_s_;
    }

    // --- deposits

    /// @inheritdoc IJobEscrow
    function deposit(uint128 amount) external {
        _deposit(amount);
    }

    /// @inheritdoc IJobEscrow
    function depositWithPermit(uint128 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // A permit that somebody else sent first fails here, but its allowance is there.
        try IERC20Permit(address(token)).permit(msg.sender, address(this), amount, deadline, v, r, s) {}
        catch {
            uint256 allowance = token.allowance(msg.sender, address(this));
            if (allowance < amount) revert JobEscrow_AllowanceTooLow(allowance, amount);
        }
        _deposit(amount);
    }

    /// @inheritdoc IJobEscrow
    function withdraw(uint128 amount) external {
        _takeBalance(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // --- jobs

    /// @inheritdoc IJobEscrow
    function openJob(Bid calldata bid, bytes calldata signature) external returns (bytes32 jobId) {
        jobId = Messages.bidHash(bid);
        if (_jobs[jobId].phase != JobPhase.None) revert JobEscrow_AlreadyOpened(jobId);
        _checkBid(bid);
        address settler = bid.settler == address(0) ? msg.sender : bid.settler;
        if (!seats.isBonded(settler)) revert JobEscrow_NotBonded(settler);
        uint24 feePpm = seats.settlerOf(settler).feePpm;
        if (feePpm > bid.maxFeePpm) revert JobEscrow_FeeTooHigh(feePpm, bid.maxFeePpm);
        if (!SignatureChecker.isValidSignatureNowCalldata(bid.buyer, _hashTypedDataV4(jobId), signature)) {
            revert JobEscrow_BadSignature(bid.buyer);
        }
        _takeBalance(bid.buyer, bid.budget);
        _jobs[jobId] = Job({
            buyer: bid.buyer,
            closesAt: 0,
            lastPostedAt: uint40(block.timestamp),
            settler: settler,
            feePpm: feePpm,
            phase: JobPhase.Open,
            period: 0,
            spansUnpaid: Spans.spanCount(bid.taskCount, bid.spanTasks),
            available: bid.budget,
            debited: 0
        });
        emit JobOpened(jobId, bid.buyer, settler, feePpm, bid);
    }

    /// @inheritdoc IJobEscrow
    function closeJob(bytes32 jobId, Bid calldata bid) external {
        Job storage job = _jobs[jobId];
        bytes32 bidHash = Messages.bidHash(bid);
        if (bidHash != jobId) revert JobEscrow_WrongBid(bidHash, jobId);
        if (job.phase == JobPhase.None || job.phase == JobPhase.Closed) revert JobEscrow_WrongPhase(job.phase);
        if (job.spansUnpaid == 0 && job.debited == 0) {
            _close(jobId);
        } else if (job.phase == JobPhase.Closing) {
            // INVARIANT: work that is done keeps its budget for a whole posting grace.
            if (block.timestamp <= job.closesAt) revert JobEscrow_TooSoon(block.timestamp, job.closesAt);
            _close(jobId);
        } else {
            if (block.timestamp <= bid.deadline) revert JobEscrow_TooSoon(block.timestamp, bid.deadline);
            _startClosing(jobId);
        }
    }

    /// @inheritdoc IJobEscrow
    function cancelJob(bytes32 jobId) external {
        Job storage job = _jobs[jobId];
        if (job.phase != JobPhase.Open) revert JobEscrow_WrongPhase(job.phase);
        if (msg.sender != job.buyer) revert JobEscrow_NotBuyer(msg.sender, job.buyer);
        _startClosing(jobId);
    }

    // --- only EpochLedger

    /// @inheritdoc IJobEscrow
    /// @dev That another settler is bonded follows from the epoch bond that the ledger locks.
    function debit(bytes32 jobId, address settler, uint128 sum) external onlyLedger returns (uint32 period) {
        Job storage job = _jobs[jobId];
        if (!_postingOpen(job) || !_isTurnOf(job, settler)) revert JobEscrow_MayNotPost(jobId, settler);
        // INVARIANT: a job is debited for no more than its own budget.
        if (sum > job.available) revert JobEscrow_BudgetTooLow(job.available, sum);
        period = job.period;
        job.period = period + 1;
        if (settler == job.settler) job.lastPostedAt = uint40(block.timestamp); // others cannot end its silence for it
        job.available -= sum;
        job.debited += sum;
        emit JobDebited(jobId, settler, period, sum);
    }

    /// @inheritdoc IJobEscrow
    function settle(
        bytes32 jobId,
        uint32 firstWord,
        uint256[] calldata words,
        uint128 debitSum,
        Payout calldata payout
    ) external onlyLedger {
        uint128 spent = payout.bonded + _credit(payout.accounts, payout.amounts);
        if (spent > debitSum) revert JobEscrow_PaymentsExceedDebit(spent, debitSum);
        uint32 spans = _markPaid(jobId, firstWord, words);
        Job storage job = _jobs[jobId];
        job.spansUnpaid -= spans;
        _restore(job, debitSum, debitSum - spent);
        emit JobSettled(jobId, debitSum, spent, spans, payout.accounts, payout.amounts);
        if (payout.bonded != 0) token.safeTransfer(payout.vault, payout.bonded);
    }

    /// @inheritdoc IJobEscrow
    function restore(bytes32 jobId, uint128 amount) external onlyLedger {
        _restore(_jobs[jobId], amount, amount);
        emit JobRestored(jobId, amount);
    }

    // --- views

    /// @inheritdoc IJobEscrow
    function jobOf(bytes32 jobId) external view returns (Job memory) {
        return _jobs[jobId];
    }

    /// @inheritdoc IJobEscrow
    function mayPost(bytes32 jobId, address settler) external view returns (bool) {
        Job storage job = _jobs[jobId];
        if (!_postingOpen(job) || !_isTurnOf(job, settler)) return false;
        return settler == job.settler || seats.isBonded(settler);
    }

    /// @inheritdoc IJobEscrow
    function settlerOf(bytes32 jobId) external view returns (address settler, uint24 feePpm) {
        Job storage job = _jobs[jobId];
        return (job.settler, job.feePpm);
    }

    /// @inheritdoc IJobEscrow
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IJobEscrow
    function digestOf(bytes32 structHash) external view returns (bytes32) {
        return _hashTypedDataV4(structHash);
    }

    // --- inside

    function _deposit(uint128 amount) private {
        token.safeTransferFrom(msg.sender, address(this), amount); // first: what counts has arrived
        balanceOf[msg.sender] += amount;
        emit Deposited(msg.sender, msg.sender, amount);
    }

    function _takeBalance(address account, uint128 amount) private {
        uint128 balance = balanceOf[account];
        if (balance < amount) revert JobEscrow_BalanceTooLow(balance, amount);
        balanceOf[account] = balance - amount;
    }

    function _credit(address[] calldata accounts, uint128[] calldata amounts) private returns (uint128 sum) {
        for (uint256 i; i < accounts.length; ++i) {
            uint128 amount = amounts[i];
            if (amount == 0) continue;
            balanceOf[accounts[i]] += amount;
            sum += amount;
        }
    }

    function _checkBid(Bid calldata bid) private view {
        uint64 limitWU = programs.limitWU(bid.programId);
        if (limitWU == 0) revert JobEscrow_UnknownProgram(bid.programId);
        if (bid.taskLimitWU == 0 || bid.taskLimitWU > limitWU) revert JobEscrow_BadTaskLimit(bid.taskLimitWU, limitWU);
        if (bid.taskCount == 0 || bid.taskCount > MAX_TASKS) revert JobEscrow_BadTaskCount(bid.taskCount);
        if (bid.spanTasks == 0 || bid.spanTasks > MAX_SPAN_TASKS) revert JobEscrow_BadSpanTasks(bid.spanTasks);
        if (bid.maxOutputBytes > MAX_OUTPUT_BYTES) {
            revert JobEscrow_OutputTooLarge(bid.maxOutputBytes, MAX_OUTPUT_BYTES);
        }
        if (bid.rateFloorPpm < MIN_RATE_FLOOR_PPM || bid.rateFloorPpm > MAX_RATE_FLOOR_PPM) {
            revert JobEscrow_BadRateFloor(bid.rateFloorPpm);
        }
        if (bid.maxFeePpm > MAX_FEE_PPM) revert JobEscrow_FeeTooHigh(bid.maxFeePpm, MAX_FEE_PPM);
        if (block.timestamp > bid.deadline) revert JobEscrow_DeadlinePassed(block.timestamp, bid.deadline);
    }

    /// @dev Postings count while the job is open, and while it is closing until that takes effect.
    function _postingOpen(Job storage job) private view returns (bool) {
        return job.phase == JobPhase.Open || (job.phase == JobPhase.Closing && block.timestamp <= job.closesAt);
    }

    /// @dev A cancelled job's settler has half of the grace for itself: else a buyer could cancel, have a settler of its own
    /// post nonsense that debits the whole budget until nothing more can be posted, and keep both the work and the money.
    // INVARIANT: a job has one settler; another one posts only what that one leaves lying.
    function _isTurnOf(Job storage job, address settler) private view returns (bool) {
        if (settler == job.settler) return true;
        return block.timestamp > (
            job.phase == JobPhase.Closing
                ? uint256(job.closesAt) - postingGrace_s / 2
                : uint256(job.lastPostedAt) + postingGrace_s
        );
    }

    function _startClosing(bytes32 jobId) private {
        Job storage job = _jobs[jobId];
        job.phase = JobPhase.Closing;
        job.closesAt = uint40(block.timestamp) + postingGrace_s;
        emit JobClosing(jobId, job.closesAt);
    }

    function _close(bytes32 jobId) private {
        Job storage job = _jobs[jobId];
        uint128 refund = job.available;
        job.phase = JobPhase.Closed;
        job.available = 0;
        balanceOf[job.buyer] += refund;
        emit JobClosed(jobId, refund);
    }

    function _markPaid(bytes32 jobId, uint32 firstWord, uint256[] calldata words) private returns (uint32 spans) {
        mapping(uint32 => uint256) storage paid = paidWord[jobId];
        for (uint256 i; i < words.length; ++i) {
            uint32 word = firstWord + uint32(i);
            uint256 before = paid[word];
            // INVARIANT: a span is paid once, whatever settlers, epochs or voids happen.
            if (before & words[i] != 0) revert JobEscrow_SpanPaid(jobId, word, before & words[i]);
            paid[word] = before | words[i];
            spans += uint32(Spans.popcount(words[i])); // at most 256 for each word
        }
    }

    /// @dev Ends a debit of `debitSum`, of which `back` was not spent.
    function _restore(Job storage job, uint128 debitSum, uint128 back) private {
        job.debited -= debitSum;
        if (job.phase == JobPhase.Closed) balanceOf[job.buyer] += back;
        else job.available += back;
    }
}
