// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice Sets of spans as bitmap words (docs/protocol.md section 4; in Python protocol/spans.py).
library Spans {
    /// @notice Thrown when a set is empty, or its first or last word is zero: a set has one form only.
    error Spans_NotCanonical();
    /// @notice Thrown when a set holds a span that the job does not have.
    error Spans_OutsideJob(uint256 span, uint256 spans);

    /// @notice Spans of a job.
    /// @param spanTasks at least 1
    function spanCount(uint32 taskCount, uint32 spanTasks) internal pure returns (uint32) {
        return uint32((uint256(taskCount) + spanTasks - 1) / spanTasks); // at most taskCount
    }

    function spansHash(uint32 firstWord, uint256[] calldata words) internal pure returns (bytes32) {
        return keccak256(abi.encode(firstWord, words));
    }

    /// @notice Checks the set's form and range; returns its spans and the tasks that they cover.
    function measure(uint32 firstWord, uint256[] calldata words, uint32 taskCount, uint32 spanTasks)
        internal
        pure
        returns (uint32 spans, uint32 tasks)
    {
        uint256 length = words.length;
        if (length == 0 || words[0] == 0 || words[length - 1] == 0) revert Spans_NotCanonical();
        uint256 jobSpans = spanCount(taskCount, spanTasks);
        uint256 last = (uint256(firstWord) + length - 1) * 256 + Math.log2(words[length - 1]);
        // INVARIANT: only spans of the job are ever paid.
        if (last >= jobSpans) revert Spans_OutsideJob(last, jobSpans);
        uint256 set;
        for (uint256 i; i < length; ++i) set += popcount(words[i]);
        uint256 covered = set * spanTasks;
        if (last == jobSpans - 1) covered -= jobSpans * spanTasks - taskCount; // the last span may be short
        return (uint32(set), uint32(covered)); // at most taskCount both
    }

    /// @notice True when the set (firstWord, words) holds `span`.
    function contains(uint32 firstWord, uint256[] calldata words, uint32 span) internal pure returns (bool) {
        uint256 word = span >> 8;
        if (word < firstWord || word - firstWord >= words.length) return false;
        return (words[word - firstWord] >> (span & 255)) & 1 == 1;
    }

    /// @notice Bits set in a word.
    function popcount(uint256 word) internal pure returns (uint256) {
        // Bounds: the byte sums are at most 8, the sums of 16 bits at most 16 and their total, 256, fits in 16 bits.
        unchecked {
            word -= (word >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            word = (word & 0x3333333333333333333333333333333333333333333333333333333333333333)
                + ((word >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            word = (word & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff)
                + ((word >> 8) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff);
            return (word * 0x0001000100010001000100010001000100010001000100010001000100010001) >> 240;
        }
    }
}
