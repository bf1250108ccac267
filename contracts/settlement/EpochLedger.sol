// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {EpochState, IAttestations, LeafQuery, SeatVerdict} from "../interfaces/IAttestations.sol";
import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {ClaimedLeaves, Entry, Head, IEpochLedger, LeafMoney, LeafRef, SignedLease} from "../interfaces/IEpochLedger.sol";
import {IJobEscrow, Payout} from "../interfaces/IJobEscrow.sol";
import {Bid, Lease, Receipt} from "../interfaces/IMessages.sol";
import {ISeats} from "../interfaces/ISeats.sol";
import {IStakeVault, Standing} from "../interfaces/IStakeVault.sol";
import {Draw} from "../libraries/Draw.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Messages} from "../libraries/Messages.sol";
import {Money} from "../libraries/Money.sol";
import {PackedLeaf} from "../libraries/PackedLeaf.sol";
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
    uint256 private constant MAX_ENTRIES = 32;
    uint256 private constant MAX_LEAVES = 128;
    uint256 private constant PPM = 1e6;

    /// @dev What is open of an entry: its debit left, and a bit for each settled leaf.
    struct Outstanding {
        uint128 sum;
        uint128 settledLeaves;
    }

    /// @dev A leaf of a claim.
    struct Leaf {
        uint256 from; // offset in the packed leaves
        uint256 to;
        uint128 bonded;
        uint128 paid; // to the owner
    }

    /// @dev What one claim works on. Arrays have a place for each leaf.
    struct Batch {
        uint64 epochId;
        uint32 entryIndex;
        uint32 firstNumber; // number of the entry's first leaf in the epoch
        uint40 postedAt;
        uint32 period; // the latest that was posted
        uint128 voidedLeaves; // by hung games, by number in the epoch
        bytes32 domain; // EIP-712
        address poster;
        address settler; // of the job
        uint24 feePpm;
        uint128 settledLeaves;
        uint128 debits;
        uint128 bonded; // by all leaves so far
        uint128 fees;
        uint32 firstWord;
        uint256[] words; // all spans of the claim
        Receipt receipt; // the leaf at hand; its job is the claim's
        Leaf[] leaves;
        address[] devices;
        Standing[] standings;
        MerkleSum.Node[] nodes; // of the leaves
        LeafQuery[] queries;
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
        ClaimedLeaves calldata leaves,
        SeatVerdict[] calldata verdicts
    ) external {
        // Check, and an event for each leaf
        _checkHead(epochId, head);
        _inState(epochId, EpochState.Final);
        Bid memory terms = bid;
        Batch memory batch = _batch(epochId, head, entryIndex, terms, leaves.packed);
        for (uint256 i; i < batch.leaves.length; ++i) {
            _takeLeaf(batch, terms, leaves.packed, i);
            if (batch.poster != batch.settler) _checkLeases(batch, leaves, i);
        }
        _checkTree(batch, head.entries[entryIndex], leaves);
        // INVARIANT: only attested leaves are paid.
        (address[] memory verifiers, uint128[] memory shares) =
            attestations.sharesOf(epochId, batch.queries, verdicts);

        // Effect
        Outstanding storage open = _outstanding[epochId][entryIndex];
        open.sum -= batch.debits;
        open.settledLeaves = batch.settledLeaves;

        // Interaction
        _pay(batch, verifiers, shares);
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
        Bid memory bid,
        bytes calldata packed
    ) private view returns (Batch memory batch) {
        _checkEntry(head, entryIndex);
        bytes32 jobId = Messages.bidHash(bid);
        if (jobId != head.entries[entryIndex].jobId) {
            revert EpochLedger_BidMismatch(jobId, head.entries[entryIndex].jobId);
        }
        (batch.epochId, batch.entryIndex) = (epochId, entryIndex);
        (batch.postedAt, batch.period) = (head.postedAt, head.periods[entryIndex]);
        batch.firstNumber = _firstNumber(head, entryIndex);
        batch.voidedLeaves = disputes.voidedLeaves(epochId);
        batch.domain = escrow.domainSeparator();
        batch.poster = head.settler;
        (batch.settler, batch.feePpm) = escrow.settlerOf(jobId);
        batch.settledLeaves = _outstanding[epochId][entryIndex].settledLeaves;
        batch.receipt.jobId = jobId;
        _makeRoom(batch, packed, Spans.spanCount(bid.taskCount, bid.spanTasks));
        batch.standings = vault.standingsAt(batch.devices, head.postBlock);
    }

    /// @dev Finds the leaves; allocates a place for each, and the words from the first to the last that any of them has.
    function _makeRoom(Batch memory batch, bytes calldata packed, uint32 spans) private pure {
        uint256 number;
        for (uint256 at; at < packed.length; ++number) at = PackedLeaf.end(packed, at);
        if (number == 0) revert EpochLedger_NoLeaves();
        // INVARIANT: a claim has no more leaves than an epoch, which bounds its memory.
        if (number > MAX_LEAVES) revert EpochLedger_LeafCount(number);
        batch.leaves = new Leaf[](number);
        batch.devices = new address[](number);
        batch.nodes = new MerkleSum.Node[](number);
        batch.queries = new LeafQuery[](number);
        uint256 first = type(uint32).max;
        uint256 end;
        uint256 from;
        for (uint256 i; i < number; ++i) {
            uint256 to = PackedLeaf.end(packed, from);
            (batch.leaves[i].from, batch.leaves[i].to) = (from, to);
            batch.devices[i] = PackedLeaf.device(packed, from);
            (uint256 leafFirst, uint256[] calldata words) = PackedLeaf.spans(packed, from, to);
            uint256 leafEnd = leafFirst + words.length;
            // Bounds the memory; the exact span is checked with each leaf.
            if (words.length == 0 || (leafEnd - 1) * 256 >= spans) {
                revert Spans.Spans_OutsideJob(leafEnd * 256, spans);
            }
            if (leafFirst < first) first = leafFirst;
            if (leafEnd > end) end = leafEnd;
            from = to;
        }
        batch.firstWord = uint32(first); // of uint32 all
        batch.words = new uint256[](end - first);
    }

    /// @dev Every check of one leaf but its place in the tree, its attestation and its leases; and its part of the claim.
    function _takeLeaf(Batch memory batch, Bid memory bid, bytes calldata packed, uint256 place) private {
        Receipt memory receipt = batch.receipt;
        Leaf memory leaf = batch.leaves[place];
        uint32 leafIndex = PackedLeaf.read(packed, leaf.from, receipt);
        if (place != 0 && leafIndex <= batch.nodes[place - 1].index) revert EpochLedger_LeafOrder(leafIndex);
        uint128 bit = uint128(1) << leafIndex; // zero for an index past 127, which no tree has
        // INVARIANT: a leaf is claimed, voided or returned, once.
        if (batch.settledLeaves & bit != 0) revert EpochLedger_LeafSettled(leafIndex);
        batch.settledLeaves |= bit;
        uint32 number = batch.firstNumber + leafIndex;
        // The number is one of the epoch's where the index is one of the entry's, which the tree says.
        if ((batch.voidedLeaves >> number) & 1 == 1) revert EpochLedger_LeafVoid(number);
        _checkReceipt(batch, receipt);
        _checkWork(bid, receipt);
        _takeSpans(batch, bid, packed, leaf);
        bytes32 digest = Messages.receiptHash(receipt);
        _checkDeviceSigned(batch, packed, leaf.from, digest);
        _checkStanding(receipt.device, batch.standings[place], bid.minStake);
        MerkleSum.Node memory node = batch.nodes[place];
        (node.hash, node.index) = (MerkleSum.receiptLeaf(receipt), leafIndex);
        LeafQuery memory query = batch.queries[place];
        (query.leafHash, query.leafNumber, query.deviceOwner) = (node.hash, number, batch.standings[place].owner);
        _takeMoney(batch, bid, place, digest);
    }

    /// @dev Splits the leaf's amount and adds the parts to the claim's.
    function _takeMoney(Batch memory batch, Bid memory bid, uint256 place, bytes32 digest) private {
        LeafMoney memory money = _moneyOf(batch, bid, batch.standings[place], place);
        batch.bonded += money.bonded;
        batch.fees += money.fee;
        Leaf memory leaf = batch.leaves[place];
        (leaf.bonded, leaf.paid) = (money.bonded, money.paid);
        batch.queries[place].pay = money.deduction + money.surcharge;
        uint128 debit = Money.debitOf(money.amount, batch.feePpm, bid.rateFloorPpm);
        batch.nodes[place].sum = debit;
        batch.debits += debit;
        emit Claimed(batch.epochId, batch.receipt.jobId, batch.receipt.device, digest, money);
    }

    function _checkReceipt(Batch memory batch, Receipt memory receipt) private pure {
        // INVARIANT: a receipt is paid to whoever posted it in its period and in time (its job is the entry's by its signature).
        if (receipt.period > batch.period) revert EpochLedger_PeriodAhead(receipt.period, batch.period);
        if (batch.postedAt > receipt.postBy) revert EpochLedger_PostedLate(batch.postedAt, receipt.postBy);
    }

    /// @dev The bounds of docs/protocol.md section 5 that need no stake.
    function _checkWork(Bid memory bid, Receipt memory receipt) private pure {
        // INVARIANT: no leaf takes more than its tasks' limits at the bid's price.
        _checkPrice(receipt, bid.maxPriceWeiPerGWU);
        uint256 wu = receipt.totalWU;
        uint256 squares = receipt.totalSquaredWU;
        // Products of a uint128 and a uint64 at most: they fit in 192 bits.
        unchecked {
            uint256 most = uint256(receipt.count) * bid.taskLimitWU;
            if (wu == 0 || wu > most) revert EpochLedger_WorkOutside(receipt.totalWU, most);
            // INVARIANT: the sum of squares is one that tasks within the limit can have, so the rule can't be understated
            // below that of even tasks.
            if (wu * wu > receipt.count * squares || squares > wu * bid.taskLimitWU) {
                revert EpochLedger_SquaresOutside(receipt.totalSquaredWU);
            }
        }
    }

    function _checkPrice(Receipt memory receipt, uint128 mostWeiPerGWU) private pure {
        // Products of a uint128 and a uint64 at most: they fit in 192 bits.
        unchecked {
            if (uint256(receipt.amount) * Money.GWU > uint256(receipt.totalWU) * mostWeiPerGWU) {
                revert EpochLedger_PriceExceeded(receipt.amount, receipt.totalWU, mostWeiPerGWU);
            }
        }
    }

    /// @dev Checks the leaf's spans, completes its receipt with their hash, and adds them to the claim's.
    function _takeSpans(Batch memory batch, Bid memory bid, bytes calldata packed, Leaf memory leaf) private pure {
        Receipt memory receipt = batch.receipt;
        (uint32 firstWord, uint256[] calldata words) = PackedLeaf.spans(packed, leaf.from, leaf.to);
        receipt.spansHash = Spans.spansHash(firstWord, words);
        (, uint32 tasks) = Spans.measure(firstWord, words, bid.taskCount, bid.spanTasks);
        if (tasks != receipt.count) revert EpochLedger_CountMismatch(receipt.count, tasks);
        uint256 offset = firstWord - batch.firstWord;
        uint256[] memory all = batch.words;
        for (uint256 i; i < words.length; ++i) {
            (uint256 taken, uint256 word) = (all[offset + i], words[i]);
            // INVARIANT: a span is paid once, also within one claim.
            if (taken & word != 0) revert EpochLedger_SpanTwice(firstWord + i);
            all[offset + i] = taken | word;
        }
    }

    /// @dev Where another settler posted, the job's settler must have leased what the receipt covers, at this price.
    function _checkLeases(Batch memory batch, ClaimedLeaves calldata claimed, uint256 place) private pure {
        Leaf memory leaf = batch.leaves[place];
        (uint32 firstWord, uint256[] calldata words) = PackedLeaf.spans(claimed.packed, leaf.from, leaf.to);
        // INVARIANT: work that the job's settler never leased is not paid through another one.
        if (place >= claimed.leases.length) revert EpochLedger_SpanNotLeased(firstWord);
        SignedLease[] calldata leases = claimed.leases[place];
        uint256[] memory missing = words;
        for (uint256 i; i < leases.length; ++i) {
            _checkLease(batch, leases[i]);
            uint32[] calldata spans = leases[i].lease.spans;
            for (uint256 j; j < spans.length; ++j) {
                if (!Spans.contains(firstWord, words, spans[j])) continue;
                missing[(spans[j] >> 8) - firstWord] &= ~(uint256(1) << (spans[j] & 255));
            }
        }
        for (uint256 i; i < missing.length; ++i) {
            if (missing[i] != 0) revert EpochLedger_SpanNotLeased(firstWord + i);
        }
    }

    function _checkLease(Batch memory batch, SignedLease calldata signed) private pure {
        Lease calldata lease = signed.lease;
        Receipt memory receipt = batch.receipt;
        if (lease.jobId != receipt.jobId) revert EpochLedger_JobMismatch(lease.jobId, receipt.jobId);
        if (lease.device != receipt.device || lease.postBy < receipt.postBy) {
            revert EpochLedger_LeaseMismatch(lease.leaseId);
        }
        _checkPrice(receipt, lease.priceWeiPerGWU);
        bytes32 digest = MessageHashUtils.toTypedDataHash(batch.domain, Messages.leaseHash(lease));
        if (!Signature.isBy(batch.settler, digest, signed.signature)) {
            revert EpochLedger_SignatureInvalid(batch.settler);
        }
    }

    function _checkDeviceSigned(Batch memory batch, bytes calldata packed, uint256 at, bytes32 receiptDigest)
        private
        pure
    {
        bytes32 digest = MessageHashUtils.toTypedDataHash(batch.domain, receiptDigest);
        (uint8 v, bytes32 r, bytes32 s) = PackedLeaf.signature(packed, at);
        address device = batch.receipt.device;
        // INVARIANT: a device is paid for what it signed: these spans, of this job.
        if (!Signature.isBy(device, digest, v, r, s)) revert EpochLedger_SignatureInvalid(device);
    }

    function _checkStanding(address device, Standing memory standing, uint128 minStake) private pure {
        if (standing.owner == address(0)) revert EpochLedger_DeviceUnbound(device);
        // INVARIANT: a convicted device is never paid, and an accused one not before its games are over.
        if (standing.convicted) revert EpochLedger_DeviceConvicted(device);
        if (standing.openGames != 0) revert EpochLedger_GameOpen(device);
        if (standing.stakeThen < minStake) revert EpochLedger_StakeTooLow(standing.stakeThen, minStake);
    }

    /// @dev Uses the batch's nodes up.
    function _checkTree(Batch memory batch, Entry calldata entry, ClaimedLeaves calldata leaves) private pure {
        (bytes32 root, uint128 sum) =
            MerkleSum.receiptRootOf(batch.nodes, entry.count, leaves.siblings, leaves.siblingSums);
        // INVARIANT: each leaf was posted, at its place, with its debit.
        if (root != entry.subroot || sum != entry.sum) revert EpochLedger_TreeInvalid(batch.entryIndex);
    }

    /// @dev The leaf's money under the stake at the posting; what earlier leaves of the claim bond counts as stake now.
    function _moneyOf(Batch memory batch, Bid memory bid, Standing memory standing, uint256 place)
        private
        view
        returns (LeafMoney memory)
    {
        Receipt memory receipt = batch.receipt;
        uint24 rule = Draw.ruleUp(receipt.amount, receipt.totalWU, receipt.totalSquaredWU, standing.stakeThen);
        uint256 rate = rule > bid.rateFloorPpm ? rule : bid.rateFloorPpm;
        uint256 replay = (receipt.totalWU * rate + PPM - 1) / PPM;
        // INVARIANT: no leaf costs its seats more than a fixed amount of work.
        if (replay > maxReplayWU) revert EpochLedger_ReplayTooLong(replay, maxReplayWU);
        uint128 stakeNow = standing.stakeNow;
        // Where nothing was bonded, as with devices at their target stake, there is nothing to look for.
        for (uint256 i; batch.bonded != 0 && i < place; ++i) {
            if (batch.devices[i] == receipt.device) stakeNow += batch.leaves[i].bonded;
        }
        return Money.split(receipt.amount, receipt.count, batch.feePpm, bid.rateFloorPpm, rule, stakeNow);
    }

    function _pay(Batch memory batch, address[] memory verifiers, uint128[] memory shares) private {
        uint256 number = batch.leaves.length;
        address[] memory accounts = new address[](number + verifiers.length + 1);
        uint128[] memory amounts = new uint128[](number + verifiers.length + 1);
        for (uint256 i; i < number; ++i) {
            (accounts[i], amounts[i]) = (batch.standings[i].owner, batch.leaves[i].paid);
        }
        for (uint256 i; i < verifiers.length; ++i) {
            (accounts[number + i], amounts[number + i]) = (verifiers[i], shares[i]);
        }
        (accounts[number + verifiers.length], amounts[number + verifiers.length]) = (batch.poster, batch.fees);
        Payout memory payout = Payout(accounts, amounts, address(vault), batch.bonded);
        escrow.settle(batch.receipt.jobId, batch.firstWord, batch.words, batch.debits, payout);
        for (uint256 i; batch.bonded != 0 && i < number; ++i) {
            if (batch.leaves[i].bonded != 0) vault.bondPay(batch.devices[i], batch.leaves[i].bonded);
        }
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
