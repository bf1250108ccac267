// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Receipt} from "../interfaces/IMessages.sol";

/// @notice Leaves of a claim in calldata, packed one after the other (docs/protocol.md section 11; in Python
/// protocol/claims.py): what the entry does not say already of a receipt, its spans and its signature.
/// @dev A leaf is, from its offset on:
///   0  device (20 bytes) | leafIndex (4) | period (4) | count (4)
///  32  resultsRoot (32)
///  64  totalSquaredWU (16) | amount (16)
///  96  totalWU (8) | postBy (5) | firstWord (4) | number of words (2) | v (1)
/// 116  r (32) | s (32)
/// 180  the words of its spans (32 each)
/// `end` checks that a leaf lies within the calldata; the other functions are for offsets that it was called with.
library PackedLeaf {
    uint256 private constant WORDS_AT = 180;

    /// @notice Thrown when the bytes end within a leaf.
    error PackedLeaf_Short(uint256 got, uint256 needed);

    /// @notice The offset after the leaf at `at`, which is at most the length of `packed`.
    function end(bytes calldata packed, uint256 at) internal pure returns (uint256 next) {
        // Offsets are below the length of calldata and leaves below 3 MB: nothing here overflows.
        unchecked {
            next = at + WORDS_AT;
            if (next > packed.length) revert PackedLeaf_Short(packed.length, next);
            next += 32 * uint256(uint16(_word(packed, at + 96) >> 104));
            if (next > packed.length) revert PackedLeaf_Short(packed.length, next);
        }
    }

    function device(bytes calldata packed, uint256 at) internal pure returns (address) {
        return address(uint160(_word(packed, at) >> 96));
    }

    /// @notice The spans of the leaf between two offsets.
    function spans(bytes calldata packed, uint256 at, uint256 next)
        internal
        pure
        returns (uint32 firstWord, uint256[] calldata words)
    {
        unchecked {
            firstWord = uint32(_word(packed, at + 96) >> 120);
            // The bytes from WORDS_AT to the next leaf, named as the words that they are.
            assembly ("memory-safe") {
                words.offset := add(packed.offset, add(at, WORDS_AT))
                words.length := shr(5, sub(next, add(at, WORDS_AT)))
            }
        }
    }

    /// @notice Fills a receipt with what is packed; `jobId` and `spansHash` are not.
    function read(bytes calldata packed, uint256 at, Receipt memory receipt) internal pure returns (uint32 leafIndex) {
        unchecked {
            uint256 word = _word(packed, at);
            receipt.device = address(uint160(word >> 96));
            leafIndex = uint32(word >> 64);
            receipt.period = uint32(word >> 32);
            receipt.count = uint32(word);
            receipt.resultsRoot = bytes32(_word(packed, at + 32));
            word = _word(packed, at + 64);
            receipt.totalSquaredWU = uint128(word >> 128);
            receipt.amount = uint128(word);
            word = _word(packed, at + 96);
            receipt.totalWU = uint64(word >> 192);
            receipt.postBy = uint40(word >> 152);
        }
    }

    function signature(bytes calldata packed, uint256 at) internal pure returns (uint8 v, bytes32 r, bytes32 s) {
        unchecked {
            v = uint8(_word(packed, at + 96) >> 96);
            r = bytes32(_word(packed, at + 116));
            s = bytes32(_word(packed, at + 148));
        }
    }

    /// @dev The 32 bytes at an offset, as packed[at:at + 32] has them, but without its bounds: `end` has checked them.
    function _word(bytes calldata packed, uint256 at) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(packed.offset, at))
        }
    }
}
