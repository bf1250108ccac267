// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBeacon} from "../interfaces/IBeacon.sol";

/// @title Randomness from block hashes, for test networks
/// @notice A round is a block number, its randomness that block's hash, readable for 8,191 blocks.
/// Warning: whoever builds the block can grind its hash; networks with real money need a beacon that nobody can grind.
contract BlockBeacon is IBeacon {
    /// @notice Thrown when deployed on Ethereum's main network.
    error BlockBeacon_NotForMainnet();
    /// @notice Thrown when the delay is zero: the block that fixes a round would be the round.
    error BlockBeacon_NoDelay();

    /// @dev EIP-2935: hashes of the last 8,191 blocks.
    address private constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;

    uint64 public immutable delay_blocks;

    constructor(uint64 delay_blocks_) {
        if (block.chainid == 1) revert BlockBeacon_NotForMainnet();
        if (delay_blocks_ == 0) revert BlockBeacon_NoDelay();
        delay_blocks = delay_blocks_;
    }

    /// @inheritdoc IBeacon
    function nextRound() external view returns (uint64) {
        return uint64(block.number) + delay_blocks;
    }

    /// @inheritdoc IBeacon
    function randomness(uint64 round) external view returns (bytes32) {
        if (round >= block.number) return 0;
        bytes32 recent = blockhash(round); // zero when older than 256 blocks
        return recent != 0 ? recent : _fromHistory(round);
    }

    function _fromHistory(uint64 round) private view returns (bytes32) {
        (bool ok, bytes memory answer) = HISTORY.staticcall(abi.encode(uint256(round)));
        return ok && answer.length == 32 ? abi.decode(answer, (bytes32)) : bytes32(0);
    }
}
