// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {SeatVerdict} from "../interfaces/IAttestations.sol";
import {Spans} from "./Spans.sol";

/// @notice A verifier's verdicts on an epoch's leaves, two bits for each (docs/protocol.md section 7; in Python protocol/verdicts.py).
library Verdicts {
    uint8 internal constant RIGHT = 1;
    uint8 internal constant WRONG = 2;

    uint256 private constant LOW_BITS = 0x5555555555555555555555555555555555555555555555555555555555555555;

    function digestsHash(bytes32[] calldata digests) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(digests));
    }

    function commitment(bytes32 salt, address verifier, uint64 epochId, uint256 verdicts, bytes32 digests)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(salt, verifier, epochId, verdicts, digests));
    }

    /// @notice What is stored of a commitment, until it is opened: its last bit is 0.
    function closed(bytes32 commitment_) internal pure returns (bytes32) {
        return commitment_ & ~bytes32(uint256(1));
    }

    /// @notice What is stored of a revealed verdict, in the commitment's place: its last bit is 1.
    function stored(uint256 verdicts, bytes32 digests) internal pure returns (bytes32) {
        return keccak256(abi.encode(verdicts, digests)) | bytes32(uint256(1));
    }

    /// @notice True for what `stored` gives.
    function isOpen(bytes32 record) internal pure returns (bool) {
        return uint256(record) & 1 == 1;
    }

    /// @notice Leaves with a verdict.
    function count(uint256 verdicts) internal pure returns (uint256) {
        return Spans.popcount((verdicts | (verdicts >> 1)) & LOW_BITS);
    }

    /// @notice The verdict on a leaf.
    /// @param leaf below 128
    function valueOf(uint256 verdicts, uint32 leaf) internal pure returns (uint8) {
        return uint8((verdicts >> (2 * leaf)) & 3);
    }

    /// @notice The verdict on a leaf, and its digest (zero where there is no verdict).
    /// @param leaf below 128
    function at(SeatVerdict calldata verdict, uint32 leaf) internal pure returns (uint8 value, bytes32 digest) {
        value = valueOf(verdict.verdicts, leaf);
        if (value == 0) return (0, 0);
        uint256 below = verdict.verdicts & ((uint256(1) << (2 * leaf)) - 1);
        digest = verdict.digests[count(below)];
    }
}
