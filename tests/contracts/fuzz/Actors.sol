// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SeatVerdict} from "../../../contracts/interfaces/IAttestations.sol";
import {ClaimedLeaves, Entry, Head, LeafRef, SignedLease} from "../../../contracts/interfaces/IEpochLedger.sol";

import {Bid, Lease, Receipt} from "../../../contracts/interfaces/IMessages.sol";
import {ResultProof} from "../../../contracts/interfaces/IPanel.sol";
import {MerkleSum} from "../../../contracts/libraries/MerkleSum.sol";
import {Messages} from "../../../contracts/libraries/Messages.sol";
import {Money} from "../../../contracts/libraries/Money.sol";
import {VM} from "./Vm.sol";
import {World} from "./World.sol";

/// @notice What everybody can do, and what the tests remember of it.
abstract contract Actors is World {
    enum LeafFate {
        Open,
        Claimed,
        Voided,
        Returned
    }

    /// @dev A posted leaf of one or two tasks of TASK_WU; where it is `wrong`, its first task is.
    struct Leaf {
        uint32 entryIndex;
        uint32 leafIndex;
        uint32 number;
        uint32 device; // index
        bool wrong;
        LeafFate fate;
        uint128 debit;
        uint256 spans; // a bitmap
        bytes32 leafHash;
        bytes signature;
        Receipt receipt;
        bytes32[] siblings;
        uint128[] siblingSums;
    }

    /// @dev What a verifier committed for an epoch, and whether it revealed that.
    struct Opinion {
        bool revealed;
        uint256 verdicts;
        bytes32[] digests;
    }

    struct GameRecord {
        bytes32 id;
        uint64 epochId;
        uint32 leaf; // number
        uint32 task;
        uint256 bonds; // native coin, the appeal's too
        bool resolved;
    }

    bytes32[] public jobs;
    mapping(bytes32 jobId => Bid) internal bidOf;
    mapping(bytes32 jobId => uint256) internal paidSpans; // by the claims that went through
    mapping(bytes32 jobId => uint128) internal spentOn;
    mapping(uint64 epochId => bytes) internal headOf;
    mapping(uint64 epochId => Leaf[]) internal leavesOf;
    mapping(uint64 epochId => mapping(address verifier => Opinion)) internal opinionOf;
    mapping(address owner => uint256) internal received; // tokens, by claims
    mapping(bytes32 jobId => uint128) internal refunded; // when the job was closed
    GameRecord[] public games;

    // --- work

    struct Order {
        bytes32 jobId;
        uint32 device;
        uint256 spans; // one or two
        bool wrong;
        uint40 postBy;
    }

    function _job(Bid memory bid, uint256 buyer, address opener) internal returns (bytes32 jobId) {
        jobId = _jobId(bid);
        _as(opener, address(escrow), abi.encodeCall(escrow.openJob, (bid, _sign(buyer, escrow.digestOf(jobId)))));
        bidOf[jobId] = bid;
        jobs.push(jobId);
    }

    function _leaf(Order memory order, uint32 entryIndex, uint32 number) internal view returns (Leaf memory leaf) {
        uint32 count = _ones(order.spans);
        uint64 wu = TASK_WU * count;
        leaf.entryIndex = entryIndex;
        leaf.number = number;
        leaf.device = order.device;
        leaf.wrong = order.wrong;
        leaf.spans = order.spans;
        leaf.receipt = Receipt({
            jobId: order.jobId,
            device: _who(devices[order.device]),
            period: 0,
            spansHash: keccak256(abi.encode(uint32(0), _words(order.spans))),
            resultsRoot: _resultsRoot(count),
            count: count,
            totalWU: wu,
            totalSquaredWU: uint128(TASK_WU) * TASK_WU * count,
            amount: Money.amountDown(wu, PRICE),
            postBy: order.postBy
        });
        leaf.debit = Money.debitOf(leaf.receipt.amount, escrow.jobOf(order.jobId).feePpm, bidOf[order.jobId].rateFloorPpm);
        leaf.leafHash = keccak256(abi.encodePacked(uint8(0), MerkleSum.RECEIPT, abi.encode(leaf.receipt)));
        bytes32 digest = escrow.digestOf(keccak256(abi.encode(Messages.RECEIPT_TYPEHASH, leaf.receipt)));
        leaf.signature = _sign(devices[order.device], digest);
    }

    /// @dev One entry of one or two leaves of the same job.
    function _entry(Leaf[] memory leaves) internal pure returns (Entry memory entry) {
        entry.jobId = leaves[0].receipt.jobId;
        entry.count = uint32(leaves.length);
        entry.sum = leaves[0].debit;
        entry.subroot = leaves[0].leafHash;
        if (leaves.length == 1) return entry;
        entry.sum += leaves[1].debit;
        entry.subroot = MerkleSum.receiptNode(leaves[0].leafHash, leaves[0].debit, leaves[1].leafHash, leaves[1].debit);
        for (uint256 i; i < 2; ++i) {
            leaves[i].leafIndex = uint32(i);
            leaves[i].siblings = new bytes32[](1);
            leaves[i].siblingSums = new uint128[](1);
            leaves[i].siblings[0] = leaves[1 - i].leafHash;
            leaves[i].siblingSums[0] = leaves[1 - i].debit;
        }
    }

    function _post(uint256 settler, Entry[] memory entries, Leaf[] memory leaves) internal returns (uint64 epochId) {
        address who = _who(settler);
        Head memory head;
        head.settler = who;
        head.dataId = bytes32("data");
        head.postedAt = uint40(VM.getBlockTimestamp());
        head.postBlock = uint64(VM.getBlockNumber());
        head.entries = entries;
        head.periods = new uint32[](entries.length);
        for (uint256 i; i < entries.length; ++i) head.periods[i] = escrow.jobOf(entries[i].jobId).period;
        bytes memory answer = _as(who, address(ledger), abi.encodeCall(ledger.postEpoch, (entries, head.dataId)));
        epochId = abi.decode(answer, (uint64));
        head.snapshot = attestations.clockOf(epochId).snapshot;
        require(ledger.headHash(epochId) == keccak256(abi.encode(head)), "head");
        headOf[epochId] = abi.encode(head);
        for (uint256 i; i < leaves.length; ++i) leavesOf[epochId].push(leaves[i]);
    }

    function _head(uint64 epochId) internal view returns (Head memory) {
        return abi.decode(headOf[epochId], (Head));
    }

    function _ref(uint64 epochId, Leaf memory leaf) internal view returns (LeafRef memory) {
        return LeafRef(
            epochId,
            _head(epochId),
            leaf.entryIndex,
            leaf.leafIndex,
            leaf.receipt,
            leaf.debit,
            leaf.siblings,
            leaf.siblingSums
        );
    }

    // --- verdicts

    /// @dev The seed, by anyone, as soon as the beacon has it.
    function _seed(uint64 epochId) internal {
        VM.roll(VM.getBlockNumber() + 4);
        attestations.drawSeed(epochId);
    }

    /// @dev True when the leaf's first task is wrong and drawn: an honest seat sees it.
    function _seenWrong(uint64 epochId, Leaf memory leaf) internal view returns (bool) {
        if (!leaf.wrong) return false;
        return ledger.isDrawn(epochId, _head(epochId), bidOf[leaf.receipt.jobId], leaf.receipt, 0, TASK_WU);
    }

    /// @dev A verdict on every leaf, whether the verifier's seats were drawn for it or not.
    /// @param opinion 0 honest, 1 right whatever it is, 2 right with a made-up digest, 3 wrong, 4 unavailable
    function _commit(uint64 epochId, uint256 verifier, uint256 opinion) internal {
        Leaf[] storage leaves = leavesOf[epochId];
        uint256 verdicts;
        bytes32[] memory digests = new bytes32[](leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            uint256 verdict = opinion == 3 ? 2 : opinion == 4 ? 3 : 1;
            if (opinion == 0 && _seenWrong(epochId, leaves[i])) verdict = 2;
            verdicts |= verdict << (2 * i);
            if (verdict == 1) digests[i] = opinion == 2 ? keccak256(abi.encode(verifier)) : leaves[i].leafHash;
        }
        address who = _who(verifier);
        bytes32 commitment = keccak256(
            abi.encode(bytes32(verifier), who, epochId, verdicts, keccak256(abi.encodePacked(digests)))
        );
        _as(who, address(attestations), abi.encodeCall(attestations.commit, (epochId, commitment)));
        opinionOf[epochId][who] = Opinion(false, verdicts, digests);
    }

    function _reveal(uint64 epochId, uint256 verifier) internal {
        address who = _who(verifier);
        Opinion storage opinion = opinionOf[epochId][who];
        _as(
            who,
            address(attestations),
            abi.encodeCall(attestations.reveal, (epochId, bytes32(verifier), opinion.verdicts, opinion.digests))
        );
        opinion.revealed = true;
    }

    /// @dev Every verdict that was revealed.
    function _verdicts(uint64 epochId) internal view returns (SeatVerdict[] memory given) {
        uint256 count;
        for (uint256 i; i < verifiers.length; ++i) {
            if (opinionOf[epochId][_who(verifiers[i])].revealed) ++count;
        }
        given = new SeatVerdict[](count);
        for (uint256 i; i < verifiers.length; ++i) {
            address who = _who(verifiers[i]);
            Opinion storage opinion = opinionOf[epochId][who];
            if (opinion.revealed) given[--count] = SeatVerdict(who, opinion.verdicts, opinion.digests);
        }
    }

    function _voteOnRedraw(bytes32 subject, uint256 verifier, uint8 vote) internal returns (bool) {
        bytes32 commitment = keccak256(abi.encode(bytes32(verifier), _who(verifier), subject, vote));
        return _try(_who(verifier), address(attestations), abi.encodeCall(attestations.commitBallot, (subject, commitment)));
    }

    function _vote(bytes32 gameId, uint256 verifier, uint8 vote) internal returns (bool) {
        bytes32 subject = panel.gameOf(gameId).subject;
        bytes32 commitment = keccak256(abi.encode(bytes32(verifier), _who(verifier), subject, vote));
        return _try(_who(verifier), address(panel), abi.encodeCall(panel.commitVote, (gameId, commitment)));
    }

    // --- claims

    /// @dev One leaf of an entry, with its path, or all of them.
    function _claimOf(uint64 epochId, Leaf[] memory leaves) internal view returns (ClaimedLeaves memory claimed) {
        address settler = escrow.jobOf(leaves[0].receipt.jobId).settler;
        bool leased = settler != _head(epochId).settler;
        claimed.leases = new SignedLease[][](leased ? leaves.length : 0);
        for (uint256 i; i < leaves.length; ++i) {
            claimed.packed = abi.encodePacked(claimed.packed, _packed(leaves[i]));
            if (!leased) continue;
            claimed.leases[i] = new SignedLease[](1);
            claimed.leases[i][0] = _lease(settler, leaves[i]);
        }
        if (leaves.length == 1) (claimed.siblings, claimed.siblingSums) = (leaves[0].siblings, leaves[0].siblingSums);
    }

    function _packed(Leaf memory leaf) private pure returns (bytes memory) {
        Receipt memory receipt = leaf.receipt;
        (bytes32 r, bytes32 s) = abi.decode(leaf.signature, (bytes32, bytes32));
        return abi.encodePacked(
            abi.encodePacked(receipt.device, leaf.leafIndex, receipt.period, receipt.count, receipt.resultsRoot),
            abi.encodePacked(receipt.totalSquaredWU, receipt.amount, receipt.totalWU, receipt.postBy),
            abi.encodePacked(uint32(0), uint16(1), leaf.signature[64], r, s, leaf.spans)
        );
    }

    /// @dev What claims credited to anybody but buyers, and never taken out.
    function _credited() internal view returns (uint256 sum) {
        for (uint256 i; i < owners.length; ++i) sum += escrow.balanceOf(_who(owners[i]));
        for (uint256 i; i < verifiers.length; ++i) sum += escrow.balanceOf(_who(verifiers[i]));
        for (uint256 i; i < settlers.length; ++i) sum += escrow.balanceOf(_who(settlers[i]));
    }

    function _lease(address settler, Leaf memory leaf) private view returns (SignedLease memory signed) {
        uint32[] memory spans = new uint32[](_ones(leaf.spans));
        uint256 found;
        for (uint32 i; i < TASKS; ++i) {
            if ((leaf.spans >> i) & 1 == 1) spans[found++] = i;
        }
        Receipt memory receipt = leaf.receipt;
        signed.lease = Lease(receipt.jobId, 1, spans, receipt.device, PRICE, receipt.postBy, receipt.postBy);
        bytes32 hash = keccak256(
            abi.encode(
                Messages.LEASE_TYPEHASH,
                receipt.jobId,
                uint64(1),
                keccak256(abi.encodePacked(spans)),
                receipt.device,
                PRICE,
                receipt.postBy,
                receipt.postBy
            )
        );
        for (uint256 i; i < settlers.length; ++i) {
            if (_who(settlers[i]) == settler) signed.signature = _sign(settlers[i], escrow.digestOf(hash));
        }
    }

    // --- disputes

    function _challenge(uint64 epochId, Leaf memory leaf, uint32 task, address opener, uint256 bond) internal returns (bytes32 id) {
        bytes memory data = abi.encodeCall(panel.open, (_ref(epochId, leaf), leaf.signature, task, _verdicts(epochId)));
        id = abi.decode(_pay(opener, bond, address(panel), data), (bytes32));
        games.push(GameRecord(id, epochId, leaf.number, task, bond, false));
    }

    function _slashAttestor(GameRecord memory game, address verifier) internal {
        Opinion storage opinion = opinionOf[game.epochId][verifier];
        Leaf memory leaf = leavesOf[game.epochId][game.leaf];
        panel.slashAttestor(
            game.id,
            _ref(game.epochId, leaf),
            bidOf[leaf.receipt.jobId],
            _result(game.task, leaf.receipt.count),
            SeatVerdict(verifier, opinion.verdicts, opinion.digests)
        );
    }

    // --- results: task i of a receipt is (i, 4, "output", TASK_WU, ok)

    function _resultHash(uint32 task) private pure returns (bytes32) {
        return MerkleSum.resultLeaf(task, 4, bytes32("output"), TASK_WU, 0);
    }

    function _resultsRoot(uint32 count) private pure returns (bytes32) {
        if (count == 1) return _resultHash(0);
        return MerkleSum.resultNode(_resultHash(0), _work(), _resultHash(1), _work());
    }

    function _result(uint32 task, uint32 count) internal pure returns (ResultProof memory proof) {
        proof = ResultProof(task, 4, bytes32("output"), TASK_WU, 0, new bytes32[](count - 1), new MerkleSum.Work[](count - 1));
        if (count == 1) return proof;
        proof.siblings[0] = _resultHash(1 - task);
        proof.siblingSums[0] = _work();
    }

    function _work() private pure returns (MerkleSum.Work memory) {
        return MerkleSum.Work(TASK_WU, uint128(TASK_WU) * TASK_WU);
    }

    function _words(uint256 spans) internal pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = spans;
    }

    function _ones(uint256 word) internal pure returns (uint32 count) {
        for (; word != 0; word &= word - 1) ++count;
    }
}
