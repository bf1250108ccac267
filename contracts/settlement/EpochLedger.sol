// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EpochState, IAttestations, LeafQuery, SeatVerdict} from "../interfaces/IAttestations.sol";
import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {Entry, Head, IEpochLedger, LeafClaim, LeafMoney, LeafRef, SignedLease} from "../interfaces/IEpochLedger.sol";
import {IJobEscrow, Job, Payment} from "../interfaces/IJobEscrow.sol";
import {Bid, Lease, Receipt} from "../interfaces/IMessages.sol";
import {ISeats} from "../interfaces/ISeats.sol";
import {Device, IStakeVault} from "../interfaces/IStakeVault.sol";
import {Draw} from "../libraries/Draw.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Messages} from "../libraries/Messages.sol";
import {Money} from "../libraries/Money.sol";
import {Purse} from "../libraries/Purse.sol";
import {Signature} from "../libraries/Signature.sol";
import {Spans} from "../libraries/Spans.sol";

/// @notice The contracts that EpochLedger works with; all are deployed after it or before it at known addresses.
struct LedgerLinks {
    IJobEscrow escrow;
    ISeats seats;
    IStakeVault vault;
    IAttestations attestations;
    IDisputeGame disputes;
}

struct LedgerLimits {
    uint40 claimTime; // seconds after an epoch is final
    uint64 maxReplayWU; // expected replay of one leaf
}

/// @title Settlement: epochs of receipts, and their claims
contract EpochLedger is IEpochLedger {
    using Purse for Purse.List;

    uint256 private constant MAX_ENTRIES = 32;
    uint256 private constant MAX_LEAVES = 128;
    uint256 private constant PPM = 1e6;

    /// @dev What is open of an entry: its debit left, and a bit for each settled leaf.
    struct Outstanding {
        uint128 sum;
        uint128 settledLeaves;
    }

    /// @dev What one claim works on.
    struct Batch {
        uint64 epochId;
        uint32 entryIndex;
        uint32 firstNumber; // number of the entry's first leaf in the epoch
        uint128 voidedLeaves; // by hung games, by number in the epoch
        bytes32 jobId;
        address poster;
        address settler; // of the job
        uint24 feePpm;
        uint128 settledLeaves;
        uint128 debits;
        uint128 bonded; // by all leaves so far
        uint32 firstWord;
        uint256[] words; // all spans of the claim
        LeafQuery[] queries;
        LeafMoney[] moneys;
        bytes32[] digests;
        address[] devices;
    }

    IJobEscrow public immutable escrow;
    ISeats public immutable seats;
    IStakeVault public immutable vault;
    IAttestations public immutable attestations;
    IDisputeGame public immutable disputes;
    uint40 public immutable claimTime;
    uint64 public immutable maxReplayWU;

    /// @inheritdoc IEpochLedger
    uint64 public epochCount;
    /// @inheritdoc IEpochLedger
    mapping(uint64 epochId => bytes32) public headHash;
    mapping(uint64 epochId => mapping(uint32 entryIndex => Outstanding)) private _outstanding;

    constructor(LedgerLinks memory links, LedgerLimits memory limits) {
        if (limits.claimTime == 0 || limits.maxReplayWU == 0) revert EpochLedger_ParameterZero();
        escrow = links.escrow;
        seats = links.seats;
        vault = links.vault;
        attestations = links.attestations;
        disputes = links.disputes;
        claimTime = limits.claimTime;
        maxReplayWU = limits.maxReplayWU;
    }

    // --- posting

    /// @inheritdoc IEpochLedger
    /// @dev Epoch ids start at 1.
    function postEpoch(Entry[] calldata entries, bytes32 dataId) external returns (uint64 epochId) {
        // Check
        _checkEntries(entries);

        // Effect
        epochId = ++epochCount;
        Head memory head = Head({
            settler: msg.sender,
            dataId: dataId,
            snapshot: seats.snapshot(),
            postedAt: uint40(block.timestamp), // seconds fit in 40 bits for 34,000 years
            postBlock: uint64(block.number),
            entries: entries,
            periods: new uint32[](entries.length)
        });
        for (uint32 i; i < entries.length; ++i) {
            _outstanding[epochId][i].sum = entries[i].sum;
            // INVARIANT: an entry takes from its own job's budget only, by the job's settler or one that may stand in.
            head.periods[i] = escrow.debit(entries[i].jobId, msg.sender, entries[i].sum);
        }
        headHash[epochId] = keccak256(abi.encode(head));
        emit Posted(epochId, msg.sender, head);

        // Interaction
        seats.lockEpochBond(msg.sender);
        attestations.open(epochId, head.snapshot);
    }

    // --- claims

    /// @inheritdoc IEpochLedger
    function claim(
        uint64 epochId,
        Head calldata head,
        uint32 entryIndex,
        Bid calldata bid,
        LeafClaim[] calldata leaves,
        SeatVerdict[] calldata verdicts
    ) external {
        // Check
        _checkHead(epochId, head);
        _inState(epochId, EpochState.Final);
        if (leaves.length == 0) revert EpochLedger_NoLeaves();
        Batch memory batch = _batch(epochId, head, entryIndex, bid, leaves);
        for (uint256 i; i < leaves.length; ++i) _takeLeaf(batch, head, bid, leaves[i], i);
        // INVARIANT: only attested leaves are paid.
        address[][] memory attestors = attestations.attestors(epochId, batch.queries, verdicts);

        // Effect
        Outstanding storage open = _outstanding[epochId][entryIndex];
        open.sum -= batch.debits;
        open.settledLeaves = batch.settledLeaves;
        for (uint256 i; i < leaves.length; ++i) {
            emit Claimed(epochId, batch.jobId, batch.devices[i], batch.digests[i], batch.moneys[i]);
        }

        // Interaction
        _pay(batch, attestors);
        _finish(epochId, head, entryIndex);
    }

    // --- what is not claimed

    /// @inheritdoc IEpochLedger
    function voidLeaf(LeafRef calldata leaf) external {
        // Check
        (bytes32 digest, uint32 number, bool settled) = _verify(leaf);
        if (settled) revert EpochLedger_LeafSettled(leaf.leafIndex);
        if (!_mayVoid(leaf, number)) revert EpochLedger_MayNotVoid(number);

        // Effect
        Outstanding storage open = _outstanding[leaf.epochId][leaf.entryIndex];
        open.sum -= leaf.debit;
        open.settledLeaves |= uint128(1) << leaf.leafIndex;
        bytes32 jobId = leaf.head.entries[leaf.entryIndex].jobId;
        digest = Messages.receiptHash(leaf.receipt);
        emit LeafVoided(leaf.epochId, jobId, leaf.receipt.device, digest, leaf.debit);

        // Interaction
        escrow.restore(jobId, leaf.debit);
        _finish(leaf.epochId, leaf.head, leaf.entryIndex);
    }

    /// @inheritdoc IEpochLedger
    function voidEpoch(uint64 epochId, Head calldata head) external {
        // Check
        _checkHead(epochId, head);
        _inState(epochId, EpochState.Void);
        // INVARIANT: an epoch bond is released or burned, once.
        if (_isFinished(epochId, head)) revert EpochLedger_NothingLeft();

        // Effect
        emit EpochVoided(epochId);

        // Interaction
        for (uint32 i; i < head.entries.length; ++i) _returnEntry(epochId, head.entries[i], i);
        seats.burnEpochBond(head.settler);
        attestations.close(epochId);
    }

    /// @inheritdoc IEpochLedger
    function returnUnclaimed(uint64 epochId, Head calldata head, uint32 entryIndex) external {
        // Check
        _checkHead(epochId, head);
        _checkEntry(head, entryIndex);
        uint256 from = uint256(attestations.finalAt(epochId)) + claimTime;
        if (block.timestamp < from) revert EpochLedger_TooEarly(from);
        if (_allSettled(epochId, head, entryIndex)) revert EpochLedger_NothingLeft();

        // Effect, Interaction
        uint128 amount = _returnEntry(epochId, head.entries[entryIndex], entryIndex);
        emit Returned(epochId, head.entries[entryIndex].jobId, amount);
        _finish(epochId, head, entryIndex);
    }

    // --- views

    /// @inheritdoc IEpochLedger
    function outstanding(uint64 epochId, uint32 entryIndex) external view returns (uint128 sum, uint128 settledLeaves) {
        Outstanding memory open = _outstanding[epochId][entryIndex];
        return (open.sum, open.settledLeaves);
    }

    /// @inheritdoc IEpochLedger
    function verifyLeaf(LeafRef calldata leaf)
        external
        view
        returns (bytes32 leafHash, uint32 leafNumber, bool settled)
    {
        return _verify(leaf);
    }

    /// @inheritdoc IEpochLedger
    function isDrawn(
        uint64 epochId,
        Head calldata head,
        Bid calldata bid,
        Receipt calldata receipt,
        uint32 k,
        uint64 wu
    ) external view returns (bool) {
        _checkHead(epochId, head);
        bytes32 jobId = Messages.bidHash(bid);
        if (jobId != receipt.jobId) revert EpochLedger_JobMismatch(receipt.jobId, jobId);
        bytes32 seed = attestations.seedOf(epochId);
        if (seed == 0 || k >= receipt.count || receipt.totalWU == 0) revert EpochLedger_NoDraw(epochId);
        uint128 stake = vault.stakeAt(receipt.device, head.postBlock);
        uint24 chance = Draw.chanceUp(bid.rateFloorPpm, stake, wu, receipt.amount, receipt.totalWU);
        return Draw.isDrawn(seed, Messages.receiptHash(receipt), k, chance);
    }

    // --- posting, inside

    function _checkEntries(Entry[] calldata entries) private pure {
        if (entries.length == 0 || entries.length > MAX_ENTRIES) revert EpochLedger_EntryCount(entries.length);
        uint256 leaves;
        for (uint256 i; i < entries.length; ++i) {
            if (entries[i].count == 0) revert EpochLedger_LeafCount(0);
            leaves += entries[i].count;
            for (uint256 j; j < i; ++j) {
                if (entries[j].jobId == entries[i].jobId) revert EpochLedger_JobTwice(entries[i].jobId);
            }
        }
        // INVARIANT: two bits for each leaf of an epoch fit in one word of verdicts.
        if (leaves > MAX_LEAVES) revert EpochLedger_LeafCount(leaves);
    }

    // --- claims, inside

    function _batch(
        uint64 epochId,
        Head calldata head,
        uint32 entryIndex,
        Bid calldata bid,
        LeafClaim[] calldata leaves
    ) private view returns (Batch memory batch) {
        _checkEntry(head, entryIndex);
        bytes32 jobId = Messages.bidHash(bid);
        if (jobId != head.entries[entryIndex].jobId) {
            revert EpochLedger_BidMismatch(jobId, head.entries[entryIndex].jobId);
        }
        Job memory job = escrow.jobOf(jobId);
        batch.epochId = epochId;
        batch.entryIndex = entryIndex;
        batch.firstNumber = _firstNumber(head, entryIndex);
        batch.voidedLeaves = disputes.voidedLeaves(epochId);
        batch.jobId = jobId;
        batch.poster = head.settler;
        batch.settler = job.settler;
        batch.feePpm = job.feePpm;
        batch.settledLeaves = _outstanding[epochId][entryIndex].settledLeaves;
        (batch.firstWord, batch.words) = _roomForSpans(leaves, Spans.spanCount(bid.taskCount, bid.spanTasks));
        batch.queries = new LeafQuery[](leaves.length);
        batch.moneys = new LeafMoney[](leaves.length);
        batch.digests = new bytes32[](leaves.length);
        batch.devices = new address[](leaves.length);
    }

    /// @dev Empty words from the first to the last that a leaf of the claim has.
    function _roomForSpans(LeafClaim[] calldata leaves, uint32 spans)
        private
        pure
        returns (uint32 first, uint256[] memory words)
    {
        uint256 end;
        first = type(uint32).max;
        for (uint256 i; i < leaves.length; ++i) {
            uint256 leafEnd = uint256(leaves[i].firstWord) + leaves[i].words.length;
            // Bounds the memory; the exact span is checked with each leaf.
            if (leafEnd == leaves[i].firstWord || (leafEnd - 1) * 256 >= spans) {
                revert Spans.Spans_OutsideJob(leafEnd * 256, spans);
            }
            if (leaves[i].firstWord < first) first = leaves[i].firstWord;
            if (leafEnd > end) end = leafEnd;
        }
        words = new uint256[](end - first);
    }

    /// @dev Every check of one leaf, and its part of the claim.
    function _takeLeaf(Batch memory batch, Head calldata head, Bid calldata bid, LeafClaim calldata leaf, uint256 place)
        private
        view
    {
        Receipt memory receipt = leaf.receipt;
        uint32 number = batch.firstNumber + leaf.leafIndex;
        uint128 bit = uint128(1) << leaf.leafIndex; // zero for an index past 127, which no path has
        // INVARIANT: a leaf is claimed, voided or returned, once.
        if (batch.settledLeaves & bit != 0) revert EpochLedger_LeafSettled(leaf.leafIndex);
        _checkReceipt(batch, head, receipt);
        _checkWork(bid, receipt);
        _addSpans(batch, bid, leaf, receipt);
        batch.digests[place] = Messages.receiptHash(receipt);
        _checkSigned(receipt.device, batch.digests[place], leaf.signature);
        if (batch.poster != batch.settler) _checkLeases(batch.settler, leaf, receipt);
        uint128 debit = Money.debitOf(receipt.amount, batch.feePpm, bid.rateFloorPpm);
        bytes32 leafHash = MerkleSum.receiptLeaf(receipt);
        _checkPath(head.entries[batch.entryIndex], leaf, leafHash, debit);
        // Past the path, the index is below the entry's count, and the number below 128.
        if ((batch.voidedLeaves >> number) & 1 == 1) revert EpochLedger_LeafVoid(number);
        Device memory device = _checkDevice(receipt.device);
        batch.settledLeaves |= bit;
        batch.debits += debit;
        batch.devices[place] = receipt.device;
        batch.queries[place] = LeafQuery(leafHash, number, device.owner);
        LeafMoney memory money = _moneyOf(batch, head, bid, receipt, device.stake, place);
        batch.bonded += money.bonded;
        batch.moneys[place] = money;
    }

    function _checkReceipt(Batch memory batch, Head calldata head, Receipt memory receipt) private pure {
        // INVARIANT: a receipt is paid by the job that it names, to whoever posted it in its period and in time.
        if (receipt.jobId != batch.jobId) revert EpochLedger_JobMismatch(receipt.jobId, batch.jobId);
        uint32 most = head.periods[batch.entryIndex];
        if (receipt.period > most) revert EpochLedger_PeriodAhead(receipt.period, most);
        if (head.postedAt > receipt.postBy) revert EpochLedger_PostedLate(head.postedAt, receipt.postBy);
    }

    /// @dev The bounds of docs/protocol.md section 5 that need no stake.
    function _checkWork(Bid calldata bid, Receipt memory receipt) private pure {
        uint256 wu = receipt.totalWU;
        uint256 squares = receipt.totalSquaredWU;
        // INVARIANT: no leaf takes more than its tasks' limits at the bid's price.
        _checkPrice(receipt, bid.maxPriceWeiPerGWU);
        uint256 most = uint256(receipt.count) * bid.taskLimitWU;
        if (wu == 0 || wu > most) revert EpochLedger_WorkOutside(receipt.totalWU, most);
        // INVARIANT: the sum of squares is one that tasks within the limit can have, so the rule can't be understated
        // below that of even tasks.
        if (wu * wu > receipt.count * squares || squares > wu * bid.taskLimitWU) {
            revert EpochLedger_SquaresOutside(receipt.totalSquaredWU);
        }
    }

    function _checkPrice(Receipt memory receipt, uint128 mostWeiPerGWU) private pure {
        if (uint256(receipt.amount) * Money.GWU > uint256(receipt.totalWU) * mostWeiPerGWU) {
            revert EpochLedger_PriceExceeded(receipt.amount, receipt.totalWU, mostWeiPerGWU);
        }
    }

    function _addSpans(Batch memory batch, Bid calldata bid, LeafClaim calldata leaf, Receipt memory receipt)
        private
        pure
    {
        bytes32 spansHash = Spans.spansHash(leaf.firstWord, leaf.words);
        if (spansHash != receipt.spansHash) revert EpochLedger_SpansMismatch(spansHash, receipt.spansHash);
        (, uint32 tasks) = Spans.measure(leaf.firstWord, leaf.words, bid.taskCount, bid.spanTasks);
        if (tasks != receipt.count) revert EpochLedger_CountMismatch(receipt.count, tasks);
        uint256 offset = leaf.firstWord - batch.firstWord;
        for (uint256 i; i < leaf.words.length; ++i) {
            uint256 taken = batch.words[offset + i];
            // INVARIANT: a span is paid once, also within one claim.
            if (taken & leaf.words[i] != 0) revert EpochLedger_SpanTwice(leaf.firstWord + i);
            batch.words[offset + i] = taken | leaf.words[i];
        }
    }

    /// @dev Where another settler posted, the job's settler must have leased what the receipt covers, at this price.
    function _checkLeases(address settler, LeafClaim calldata leaf, Receipt memory receipt) private view {
        uint256[] memory missing = leaf.words;
        for (uint256 i; i < leaf.leases.length; ++i) {
            _checkLease(settler, receipt, leaf.leases[i]);
            uint32[] calldata spans = leaf.leases[i].lease.spans;
            for (uint256 j; j < spans.length; ++j) {
                if (!Spans.contains(leaf.firstWord, leaf.words, spans[j])) continue;
                missing[(spans[j] >> 8) - leaf.firstWord] &= ~(uint256(1) << (spans[j] & 255));
            }
        }
        // INVARIANT: work that the job's settler never leased is not paid through another one.
        for (uint256 i; i < missing.length; ++i) {
            if (missing[i] != 0) revert EpochLedger_SpanNotLeased(leaf.firstWord + i);
        }
    }

    function _checkLease(address settler, Receipt memory receipt, SignedLease calldata signed) private view {
        Lease calldata lease = signed.lease;
        if (lease.jobId != receipt.jobId) revert EpochLedger_JobMismatch(lease.jobId, receipt.jobId);
        if (lease.device != receipt.device || lease.postBy < receipt.postBy) {
            revert EpochLedger_LeaseMismatch(lease.leaseId);
        }
        _checkPrice(receipt, lease.priceWeiPerGWU);
        _checkSigned(settler, Messages.leaseHash(lease), signed.signature);
    }

    function _checkSigned(address signer, bytes32 structHash, bytes calldata signature) private view {
        if (!Signature.isBy(signer, escrow.digestOf(structHash), signature)) {
            revert EpochLedger_SignatureInvalid(signer);
        }
    }

    function _checkDevice(address account) private view returns (Device memory device) {
        device = vault.deviceOf(account);
        if (device.owner == address(0)) revert EpochLedger_DeviceUnbound(account);
        // INVARIANT: a convicted device is never paid, and an accused one not before its games are over.
        if (device.convicted) revert EpochLedger_DeviceConvicted(account);
        if (device.openGames != 0) revert EpochLedger_GameOpen(account);
    }

    function _checkPath(Entry calldata entry, LeafClaim calldata leaf, bytes32 leafHash, uint128 debit) private pure {
        (bytes32 root, uint128 sum) =
            MerkleSum.receiptRoot(leafHash, debit, leaf.leafIndex, entry.count, leaf.siblings, leaf.siblingSums);
        // INVARIANT: the leaf was posted, at this place, with this debit.
        if (root != entry.subroot || sum != entry.sum) revert EpochLedger_PathInvalid(leaf.leafIndex);
    }

    /// @dev The leaf's money under the stake at the posting; what earlier leaves of the claim bond counts as stake now.
    function _moneyOf(
        Batch memory batch,
        Head calldata head,
        Bid calldata bid,
        Receipt memory receipt,
        uint128 stakeNow,
        uint256 place
    ) private view returns (LeafMoney memory) {
        uint128 stake = vault.stakeAt(receipt.device, head.postBlock);
        if (stake < bid.minStake) revert EpochLedger_StakeTooLow(stake, bid.minStake);
        uint24 rule = Draw.ruleUp(receipt.amount, receipt.totalWU, receipt.totalSquaredWU, stake);
        uint256 rate = rule > bid.rateFloorPpm ? rule : bid.rateFloorPpm;
        uint256 replay = (receipt.totalWU * rate + PPM - 1) / PPM;
        // INVARIANT: no leaf costs its seats more than a fixed amount of work.
        if (replay > maxReplayWU) revert EpochLedger_ReplayTooLong(replay, maxReplayWU);
        // Where nothing was bonded, as with devices at their target stake, there is nothing to look for.
        for (uint256 i; batch.bonded != 0 && i < place; ++i) {
            if (batch.devices[i] == receipt.device) stakeNow += batch.moneys[i].bonded;
        }
        return Money.split(receipt.amount, receipt.count, batch.feePpm, bid.rateFloorPpm, rule, stakeNow);
    }

    function _pay(Batch memory batch, address[][] memory attestors) private {
        Purse.List memory credits = Purse.withRoom(3 * batch.moneys.length + 1); // three seats a leaf, the poster
        Purse.List memory payments = Purse.withRoom(batch.moneys.length + 2); // the owners, the vault, the seats
        uint128 fees;
        uint128 toSeats;
        for (uint256 i; i < batch.moneys.length; ++i) {
            LeafMoney memory money = batch.moneys[i];
            payments.addNext(batch.queries[i].deviceOwner, money.paid);
            fees += money.fee;
            toSeats += money.deduction + money.surcharge;
            credits.addShares(attestors[i], money.deduction + money.surcharge);
        }
        payments.addNext(address(vault), batch.bonded);
        payments.addNext(address(seats), fees + toSeats);
        credits.add(batch.poster, fees);
        escrow.settle(batch.jobId, batch.firstWord, batch.words, batch.debits, _asPayments(payments));
        for (uint256 i; i < batch.moneys.length; ++i) {
            if (batch.moneys[i].bonded != 0) vault.bondPay(batch.devices[i], batch.moneys[i].bonded);
        }
        if (credits.accounts.length != 0) seats.credit(credits.accounts, credits.amounts);
    }

    function _asPayments(Purse.List memory list) private pure returns (Payment[] memory payments) {
        payments = new Payment[](list.accounts.length);
        for (uint256 i; i < payments.length; ++i) payments[i] = Payment(list.accounts[i], list.amounts[i]);
    }

    // --- what is not claimed, inside

    function _mayVoid(LeafRef calldata leaf, uint32 number) private view returns (bool) {
        // INVARIANT: a leaf is void by a redraw, by a hung game or by its device's conviction, and not otherwise.
        return msg.sender == address(attestations) || (disputes.voidedLeaves(leaf.epochId) >> number) & 1 == 1
            || vault.deviceOf(leaf.receipt.device).convicted;
    }

    /// @dev Gives an entry's rest back to its job and marks all its leaves settled.
    function _returnEntry(uint64 epochId, Entry calldata entry, uint32 entryIndex) private returns (uint128 amount) {
        Outstanding storage open = _outstanding[epochId][entryIndex];
        amount = open.sum;
        open.sum = 0;
        open.settledLeaves = _allLeaves(entry.count);
        if (amount != 0) escrow.restore(entry.jobId, amount);
    }

    /// @dev After a leaf was settled: returns what the tree's padding may hold, and releases the bond when nothing is
    /// left of the epoch.
    function _finish(uint64 epochId, Head calldata head, uint32 entryIndex) private {
        if (!_allSettled(epochId, head, entryIndex)) return;
        if (_outstanding[epochId][entryIndex].sum != 0) _returnEntry(epochId, head.entries[entryIndex], entryIndex);
        if (!_isFinished(epochId, head)) return;
        emit EpochFinished(epochId);
        seats.releaseEpochBond(head.settler);
    }

    function _isFinished(uint64 epochId, Head calldata head) private view returns (bool) {
        // From the last: entries are mostly claimed in order, so an open one is found at once.
        for (uint256 i = head.entries.length; i > 0; --i) {
            if (!_allSettled(epochId, head, uint32(i - 1))) return false; // at most 32 entries
        }
        return true;
    }

    function _allSettled(uint64 epochId, Head calldata head, uint32 entryIndex) private view returns (bool) {
        return _outstanding[epochId][entryIndex].settledLeaves == _allLeaves(head.entries[entryIndex].count);
    }

    function _allLeaves(uint32 count) private pure returns (uint128) {
        return type(uint128).max >> (MAX_LEAVES - count); // a posted count is 1 to 128
    }

    // --- heads and paths

    function _verify(LeafRef calldata leaf) private view returns (bytes32 leafHash, uint32 number, bool settled) {
        _checkHead(leaf.epochId, leaf.head);
        _checkEntry(leaf.head, leaf.entryIndex);
        Entry calldata entry = leaf.head.entries[leaf.entryIndex];
        leafHash = MerkleSum.receiptLeaf(leaf.receipt);
        (bytes32 root, uint128 sum) =
            MerkleSum.receiptRoot(leafHash, leaf.debit, leaf.leafIndex, entry.count, leaf.siblings, leaf.siblingSums);
        if (root != entry.subroot || sum != entry.sum) revert EpochLedger_PathInvalid(leaf.leafIndex);
        number = _firstNumber(leaf.head, leaf.entryIndex) + leaf.leafIndex;
        settled = (_outstanding[leaf.epochId][leaf.entryIndex].settledLeaves >> leaf.leafIndex) & 1 == 1;
    }

    function _firstNumber(Head calldata head, uint32 entryIndex) private pure returns (uint32 number) {
        for (uint256 i; i < entryIndex; ++i) number += head.entries[i].count;
    }

    function _checkHead(uint64 epochId, Head calldata head) private view {
        if (keccak256(abi.encode(head)) != headHash[epochId]) revert EpochLedger_HeadMismatch(epochId);
    }

    function _checkEntry(Head calldata head, uint32 entryIndex) private pure {
        if (entryIndex >= head.entries.length) revert EpochLedger_NoEntry(entryIndex);
    }

    function _inState(uint64 epochId, EpochState needed) private view {
        EpochState got = attestations.stateOf(epochId);
        if (got != needed) revert EpochLedger_WrongState(got, needed);
    }
}
