// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Receipt} from "../interfaces/IMessages.sol";

/// @notice Leaves, nodes and paths of the trees (docs/protocol.md section 3; in Python protocol/merkle.py).
/// @dev A leaf is tagged 0 and its kind, a node 1 and its kind, so none can be taken for another. Padding is hash zero with
/// sums zero, combined like any other node. Every path is checked for its exact length and its index against the count.
library MerkleSum {
    uint8 internal constant RESULT = 1;
    uint8 internal constant RECEIPT = 2;
    uint8 internal constant INPUT = 3;
    uint8 internal constant WORD = 4;

    /// @notice Thrown when a tree has no leaves, or the leaf's index is not below their number.
    error MerkleSum_IndexOutside(uint256 index, uint256 count);
    /// @notice Thrown when a proof has not one entry for each level.
    error MerkleSum_ProofLength(uint256 got, uint256 needed);

    /// @notice A result leaf's sums: wu and wu^2.
    struct Work {
        uint128 wu;
        uint128 squaredWU;
    }

    /// @notice A node of a receipt tree and its place in its level.
    struct Node {
        bytes32 hash;
        uint128 sum;
        uint32 index;
    }

    function resultLeaf(uint32 taskIndex, uint64 outputLength, bytes32 outputRoot, uint64 wu, uint8 status)
        internal
        pure
        returns (bytes32)
    {
        return _leaf(RESULT, abi.encode(taskIndex, outputLength, outputRoot, wu, status));
    }

    function receiptLeaf(Receipt memory receipt) internal pure returns (bytes32 hash) {
        // keccak256(abi.encodePacked(uint8(0), RECEIPT, abi.encode(receipt))), in free memory that is not kept: ten words,
        // in memory as abi.encode has them.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, shl(240, RECEIPT)) // the two bytes 0, RECEIPT
            mcopy(add(free, 2), receipt, 320)
            hash := keccak256(free, 322)
        }
    }

    function inputLeaf(uint64 length, bytes32 root) internal pure returns (bytes32) {
        return _leaf(INPUT, abi.encode(length, root));
    }

    function wordLeaf(bytes32 word) internal pure returns (bytes32) {
        return _leaf(WORD, abi.encode(word));
    }

    /// @notice ceil(log2 count).
    function depth(uint256 count) internal pure returns (uint256 levels) {
        while ((uint256(1) << levels) < count) ++levels;
    }

    /// @notice Root and sum of the receipt tree in which `leaf` stands at `index`.
    function receiptRoot(
        bytes32 leaf,
        uint128 sum,
        uint256 index,
        uint256 count,
        bytes32[] calldata siblings,
        uint128[] calldata siblingSums
    ) internal pure returns (bytes32, uint128) {
        _checkPath(index, count, siblings.length);
        _checkLength(siblingSums.length, siblings.length);
        for (uint256 i; i < siblings.length; ++i) {
            leaf = (index >> i) & 1 == 0
                ? receiptNode(leaf, sum, siblings[i], siblingSums[i])
                : receiptNode(siblings[i], siblingSums[i], leaf, sum);
            sum += siblingSums[i]; // checked: a tree whose sums overflow has no valid path
        }
        return (leaf, sum);
    }

    /// @notice Root and sum of the receipt tree in which these leaves stand: a path for all of them at once. Each level is
    /// folded into the next from left to right; a node's neighbour is a leaf's own, padding, or the next sibling. All leaves
    /// of a tree need no siblings.
    /// @dev Uses the nodes up.
    /// @param nodes leaves, at least one, their indices strictly rising
    function receiptRootOf(
        Node[] memory nodes,
        uint256 count,
        bytes32[] calldata siblings,
        uint128[] calldata siblingSums
    ) internal pure returns (bytes32, uint128) {
        uint256 known = nodes.length;
        // INVARIANT: a path leads to one of the tree's leaves, never to its padding and never to an inner node.
        if (nodes[known - 1].index >= count) revert MerkleSum_IndexOutside(nodes[known - 1].index, count);
        _checkLength(siblingSums.length, siblings.length);
        uint256 used; // siblings
        bytes32 padding;
        for (uint256 width = count; width > 1; width = (width + 1) / 2) {
            uint256 parents;
            for (uint256 i; i < known; ++i) {
                Node memory node = nodes[i];
                bool left = node.index & 1 == 0;
                if (left && i + 1 < known && nodes[i + 1].index == node.index + 1) {
                    Node memory right = nodes[++i];
                    node.hash = receiptNode(node.hash, node.sum, right.hash, right.sum);
                    node.sum += right.sum;
                } else if (left && node.index + 1 == width) {
                    node.hash = receiptNode(node.hash, node.sum, padding, 0);
                } else {
                    if (used == siblings.length) revert MerkleSum_ProofLength(used, used + 1);
                    (bytes32 hash, uint128 sum) = (siblings[used], siblingSums[used]);
                    node.hash = left
                        ? receiptNode(node.hash, node.sum, hash, sum)
                        : receiptNode(hash, sum, node.hash, node.sum);
                    node.sum += sum; // checked: a tree whose sums overflow has no valid path
                    ++used;
                }
                node.index /= 2;
                nodes[parents++] = node;
            }
            known = parents;
            padding = receiptNode(padding, 0, padding, 0);
        }
        _checkLength(siblings.length, used);
        return (nodes[0].hash, nodes[0].sum);
    }

    /// @notice Root and sums of the result tree in which `leaf`, of `wu`, stands at `index`.
    function resultRoot(
        bytes32 leaf,
        uint64 wu,
        uint256 index,
        uint256 count,
        bytes32[] calldata siblings,
        Work[] calldata siblingSums
    ) internal pure returns (bytes32, Work memory sum) {
        _checkPath(index, count, siblings.length);
        _checkLength(siblingSums.length, siblings.length);
        sum = Work(wu, uint128(wu) * wu);
        for (uint256 i; i < siblings.length; ++i) {
            Work memory other = siblingSums[i];
            leaf = (index >> i) & 1 == 0
                ? resultNode(leaf, sum, siblings[i], other)
                : resultNode(siblings[i], other, leaf, sum);
            sum.wu += other.wu;
            sum.squaredWU += other.squaredWU;
        }
        return (leaf, sum);
    }

    /// @notice Root of the input or word tree in which `leaf` stands at `index`.
    function plainRoot(uint8 kind, bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32)
    {
        _checkPath(index, count, siblings.length);
        for (uint256 i; i < siblings.length; ++i) {
            leaf = (index >> i) & 1 == 0 ? plainNode(kind, leaf, siblings[i]) : plainNode(kind, siblings[i], leaf);
        }
        return leaf;
    }

    function receiptNode(bytes32 left, uint128 leftSum, bytes32 right, uint128 rightSum)
        internal
        pure
        returns (bytes32 hash)
    {
        // keccak256(abi.encodePacked(uint8(1), RECEIPT, left, leftSum, right, rightSum)), in free memory that is not kept:
        // a claim has a path for each leaf. What a sum's store writes past its 16 bytes, the next store overwrites.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, shl(240, or(0x0100, RECEIPT))) // the two bytes 1, RECEIPT
            mstore(add(free, 2), left)
            mstore(add(free, 34), shl(128, leftSum))
            mstore(add(free, 50), right)
            mstore(add(free, 82), shl(128, rightSum))
            hash := keccak256(free, 98)
        }
    }

    function resultNode(bytes32 left, Work memory leftSum, bytes32 right, Work memory rightSum)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encodePacked(
                uint8(1), RESULT, left, leftSum.wu, leftSum.squaredWU, right, rightSum.wu, rightSum.squaredWU
            )
        );
    }

    function plainNode(uint8 kind, bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(1), kind, left, right));
    }

    function _leaf(uint8 kind, bytes memory fields) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), kind, fields));
    }

    function _checkPath(uint256 index, uint256 count, uint256 length) private pure {
        // INVARIANT: a path leads to one of the tree's leaves, never to its padding and never to an inner node.
        if (index >= count) revert MerkleSum_IndexOutside(index, count);
        _checkLength(length, depth(count));
    }

    function _checkLength(uint256 got, uint256 needed) private pure {
        if (got != needed) revert MerkleSum_ProofLength(got, needed);
    }
}
