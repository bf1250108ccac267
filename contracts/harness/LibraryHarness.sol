// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LeafMoney} from "../interfaces/IEpochLedger.sol";
import {Bid, Lease, Receipt} from "../interfaces/IMessages.sol";
import {Seat} from "../interfaces/ISeats.sol";
import {Draw} from "../libraries/Draw.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Messages} from "../libraries/Messages.sol";
import {Money} from "../libraries/Money.sol";
import {PackedLeaf} from "../libraries/PackedLeaf.sol";
import {Spans} from "../libraries/Spans.sol";

/// @notice What a packed leaf holds beside its words.
struct PackedFields {
    uint32 leafIndex;
    uint32 firstWord;
    address device;
    uint8 v;
    bytes32 r;
    bytes32 s;
    Receipt receipt;
}

/// @title The libraries, callable: for tests only, never deployed with the market
contract LibraryHarness {
    function typeHashes() external pure returns (bytes32[5] memory) {
        return [
            Messages.BID_TYPEHASH,
            Messages.LEASE_TYPEHASH,
            Messages.RECEIPT_TYPEHASH,
            Messages.BINDING_TYPEHASH,
            Messages.SESSION_TYPEHASH
        ];
    }

    function bidHash(Bid calldata bid) external pure returns (bytes32) {
        return Messages.bidHash(bid);
    }

    function leaseHash(Lease calldata lease) external pure returns (bytes32) {
        return Messages.leaseHash(lease);
    }

    function receiptHash(Receipt calldata receipt) external pure returns (bytes32) {
        return Messages.receiptHash(receipt);
    }

    function bindingHash(address device, address owner) external pure returns (bytes32) {
        return Messages.bindingHash(device, owner);
    }

    function sessionHash(address device, uint40 issuedAt, bytes32 nonce) external pure returns (bytes32) {
        return Messages.sessionHash(device, issuedAt, nonce);
    }

    function resultLeaf(uint32 taskIndex, uint64 outputLength, bytes32 outputRoot, uint64 wu, uint8 status)
        external
        pure
        returns (bytes32)
    {
        return MerkleSum.resultLeaf(taskIndex, outputLength, outputRoot, wu, status);
    }

    function receiptLeaf(Receipt calldata receipt) external pure returns (bytes32) {
        return MerkleSum.receiptLeaf(receipt);
    }

    function inputLeaf(uint64 length, bytes32 root) external pure returns (bytes32) {
        return MerkleSum.inputLeaf(length, root);
    }

    function wordLeaf(bytes32 word) external pure returns (bytes32) {
        return MerkleSum.wordLeaf(word);
    }

    function depth(uint256 count) external pure returns (uint256) {
        return MerkleSum.depth(count);
    }

    function receiptRoot(
        bytes32 leaf,
        uint128 sum,
        uint256 index,
        uint256 count,
        bytes32[] calldata siblings,
        uint128[] calldata siblingSums
    ) external pure returns (bytes32, uint128) {
        return MerkleSum.receiptRoot(leaf, sum, index, count, siblings, siblingSums);
    }

    function receiptRootOf(
        MerkleSum.Node[] memory nodes,
        uint256 count,
        bytes32[] calldata siblings,
        uint128[] calldata siblingSums
    ) external pure returns (bytes32, uint128) {
        return MerkleSum.receiptRootOf(nodes, count, siblings, siblingSums);
    }

    function resultRoot(
        bytes32 leaf,
        uint64 wu,
        uint256 index,
        uint256 count,
        bytes32[] calldata siblings,
        MerkleSum.Work[] calldata siblingSums
    ) external pure returns (bytes32, MerkleSum.Work memory) {
        return MerkleSum.resultRoot(leaf, wu, index, count, siblings, siblingSums);
    }

    function plainRoot(uint8 kind, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return MerkleSum.plainRoot(kind, leaf, index, count, siblings);
    }

    function spansHash(uint32 firstWord, uint256[] calldata words) external pure returns (bytes32) {
        return Spans.spansHash(firstWord, words);
    }

    function measure(uint32 firstWord, uint256[] calldata words, uint32 taskCount, uint32 spanTasks)
        external
        pure
        returns (uint32 spans, uint32 tasks)
    {
        return Spans.measure(firstWord, words, taskCount, spanTasks);
    }

    function contains(uint32 firstWord, uint256[] calldata words, uint32 span) external pure returns (bool) {
        return Spans.contains(firstWord, words, span);
    }

    function popcount(uint256 word) external pure returns (uint256) {
        return Spans.popcount(word);
    }

    /// @notice Leaves of a claim as the ledger reads them: each receipt (without job), its index, v, r, s; and its spans.
    function packedLeaves(bytes calldata packed)
        external
        pure
        returns (PackedFields[] memory leaves, uint256[][] memory words)
    {
        uint256 number;
        for (uint256 at; at < packed.length; ++number) at = PackedLeaf.end(packed, at);
        leaves = new PackedFields[](number);
        words = new uint256[][](number);
        uint256 from;
        for (uint256 i; i < number; ++i) {
            uint256 next = PackedLeaf.end(packed, from);
            PackedFields memory leaf = leaves[i];
            leaf.leafIndex = PackedLeaf.read(packed, from, leaf.receipt);
            leaf.device = PackedLeaf.device(packed, from);
            (leaf.v, leaf.r, leaf.s) = PackedLeaf.signature(packed, from);
            (leaf.firstWord, words[i]) = PackedLeaf.spans(packed, from, next);
            from = next;
        }
    }

    function rule(uint128 amount, uint64 totalWU, uint128 totalSquaredWU, uint128 stake)
        external
        pure
        returns (uint24)
    {
        return Draw.ruleUp(amount, totalWU, totalSquaredWU, stake);
    }

    /// @return chances of each task, and whether it is drawn
    function drawTasks(bytes32 seed, Receipt calldata receipt, uint64[] calldata wus, uint128 stake, uint24 rateFloorPpm)
        external
        pure
        returns (uint24[] memory chances, bool[] memory drawn)
    {
        bytes32 digest = Messages.receiptHash(receipt);
        chances = new uint24[](wus.length);
        drawn = new bool[](wus.length);
        for (uint32 k; k < wus.length; ++k) {
            chances[k] = Draw.chanceUp(rateFloorPpm, stake, wus[k], receipt.amount, receipt.totalWU);
            drawn[k] = Draw.isDrawn(seed, digest, k, chances[k]);
        }
    }

    function epochSeed(bytes32 randomness, uint64 epochId) external pure returns (bytes32) {
        return Draw.epochSeed(randomness, epochId);
    }

    function ballotSeed(bytes32 randomness, bytes32 subject) external pure returns (bytes32) {
        return Draw.ballotSeed(randomness, subject);
    }

    function seatsWanted(bytes32 seed, bytes32 leafHash) external pure returns (uint256) {
        return Draw.seatsWanted(seed, leafHash);
    }

    function leafSeats(Seat[] calldata seats, bytes32 seed, bytes32 leafHash, address deviceOwner)
        external
        pure
        returns (address[] memory)
    {
        return Draw.leafSeats(seats, seed, leafHash, deviceOwner);
    }

    function ballotSeats(Seat[] calldata seats, bytes32 seed, bytes32 subject, uint256 wanted, address excluded)
        external
        pure
        returns (address[] memory)
    {
        return Draw.ballotSeats(seats, seed, subject, wanted, excluded);
    }

    function amountDown(uint64 totalWU, uint128 priceWeiPerGWU) external pure returns (uint128) {
        return Money.amountDown(totalWU, priceWeiPerGWU);
    }

    function debitOf(uint128 amount, uint24 feePpm, uint24 rateFloorPpm) external pure returns (uint128) {
        return Money.debitOf(amount, feePpm, rateFloorPpm);
    }

    function split(
        uint128 amount,
        uint32 count,
        uint24 feePpm,
        uint24 rateFloorPpm,
        uint24 rulePpm,
        uint128 stakeNow
    ) external pure returns (LeafMoney memory) {
        return Money.split(amount, count, feePpm, rateFloorPpm, rulePpm, stakeNow);
    }
}
