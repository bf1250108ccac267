// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Seat} from "../interfaces/ISeats.sol";

/// @notice What is replayed, and by whom (docs/protocol.md sections 5 and 6; in Python protocol/sampling.py).
library Draw {
    uint256 internal constant PPM = 1e6;
    uint256 private constant SEAT_TRIES = 64;
    uint256 private constant BALLOT_TRIES = 256;
    uint32 private constant TWO_SEATS = type(uint32).max; // the index of the draw for a second seat

    /// @notice Expected share of a receipt's work that is replayed for want of stake, ppm, rounded up.
    /// @dev With wei up to 2^100 nothing overflows (the token's whole supply is below 2^90); above that it reverts.
    /// @param totalWU not zero
    function ruleUp(uint128 amount, uint64 totalWU, uint128 totalSquaredWU, uint128 stake)
        internal
        pure
        returns (uint24)
    {
        if (stake == 0) return uint24(PPM);
        uint256 divisor = 9 * uint256(stake) * (uint256(totalWU) * totalWU);
        uint256 rule = Math.mulDiv(40e6 * uint256(amount), totalSquaredWU, divisor, Math.Rounding.Ceil);
        return uint24(Math.min(rule, PPM));
    }

    /// @notice Chance in ppm, rounded up, that a task of `wu` of this receipt is replayed.
    /// @param totalWU not zero
    function chanceUp(uint24 rateFloorPpm, uint128 stake, uint64 wu, uint128 amount, uint64 totalWU)
        internal
        pure
        returns (uint24)
    {
        if (stake == 0) return uint24(PPM);
        uint256 price = Math.ceilDiv(uint256(wu) * amount, totalWU);
        uint256 rule = Math.ceilDiv(40e6 * price, 9 * uint256(stake));
        return uint24(Math.max(rateFloorPpm, Math.min(rule, PPM)));
    }

    /// @notice True when task `k` (its position in the receipt) is replayed.
    function isDrawn(bytes32 seed, bytes32 receiptDigest, uint32 k, uint24 chancePpm) internal pure returns (bool) {
        return uint256(uint128(_draw(seed, receiptDigest, k))) < (uint256(chancePpm) << 128) / PPM;
    }

    function epochSeed(bytes32 randomness, uint64 epochId) internal pure returns (bytes32) {
        return keccak256(abi.encode(randomness, epochId));
    }

    function ballotSeed(bytes32 randomness, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encode(randomness, subject));
    }

    /// @notice Seats wanted for a leaf: two for a tenth of the leaves, else one.
    function seatsWanted(bytes32 seed, bytes32 leafHash) internal pure returns (uint256) {
        return _draw(seed, leafHash, TWO_SEATS) % 10 == 0 ? 2 : 1;
    }

    /// @notice Verifiers of the seats drawn for a leaf, in drawing order: fewer than wanted where the seats do not suffice.
    function leafSeats(Seat[] memory seats, bytes32 seed, bytes32 leafHash, address deviceOwner)
        internal
        pure
        returns (address[] memory drawn)
    {
        uint256 wanted = seatsWanted(seed, leafHash);
        drawn = new address[](wanted);
        uint256 found;
        if (seats.length == 0) wanted = 0;
        for (uint32 i; i < SEAT_TRIES && found < wanted; ++i) {
            Seat memory seat = seats[_draw(seed, leafHash, i) % seats.length];
            if (seat.owner == deviceOwner || (found == 1 && seat.verifier == drawn[0])) continue;
            drawn[found++] = seat.verifier;
        }
        _shorten(drawn, found);
    }

    /// @notice Verifiers of the distinct seats drawn for a ballot, one for each seat, in drawing order: a verifier with two
    /// of the seats comes twice.
    /// @param excluded neither verifies nor owns a drawn seat; zero for nobody
    function ballotSeats(
        Seat[] memory seats,
        bytes32 seed,
        bytes32 subject,
        uint256 wanted,
        address excluded
    ) internal pure returns (address[] memory drawn) {
        drawn = new address[](wanted);
        bool[] memory taken = new bool[](seats.length);
        uint256 found;
        if (seats.length == 0) wanted = 0;
        for (uint32 i; i < BALLOT_TRIES && found < wanted; ++i) {
            uint256 index = _draw(seed, subject, i) % seats.length;
            if (taken[index]) continue;
            Seat memory seat = seats[index];
            if (seat.verifier == excluded || seat.owner == excluded) continue;
            taken[index] = true;
            drawn[found++] = seat.verifier;
        }
        _shorten(drawn, found);
    }

    function _draw(bytes32 seed, bytes32 subject, uint32 index) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, subject, index)));
    }

    function _shorten(address[] memory list, uint256 length) private pure {
        // Writes a length that is at most the allocated one.
        assembly ("memory-safe") {
            mstore(list, length)
        }
    }
}
