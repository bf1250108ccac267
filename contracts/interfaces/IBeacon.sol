// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Public randomness that nobody knows when its round is fixed.
interface IBeacon {
    /// @notice The round whose randomness is not yet known to anybody when this call is mined.
    function nextRound() external view returns (uint64 round);

    /// @notice The randomness of `round`, or zero while it is not there yet, or can no longer be read.
    function randomness(uint64 round) external view returns (bytes32);
}
