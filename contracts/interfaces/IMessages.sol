// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev The signed messages of docs/protocol.md section 2, field for field. Their type hashes are in libraries/Messages.sol.

/// @notice A buyer's signed order. `jobId` is its struct hash.
struct Bid {
    address buyer;
    bytes32 programId;
    bytes32 inputsRoot;
    bytes32 manifest;
    uint32 taskCount;
    uint32 spanTasks;
    uint64 taskLimitWU;
    uint32 maxOutputBytes;
    uint128 maxPriceWeiPerGWU;
    uint128 budget;
    uint24 rateFloorPpm;
    uint128 minStake;
    uint40 deadline;
    address settler;
    uint24 maxFeePpm;
    bytes32 salt;
}

/// @notice Whole spans given to one device for a time, signed by the job's settler.
struct Lease {
    bytes32 jobId;
    uint64 leaseId;
    uint32[] spans;
    address device;
    uint128 priceWeiPerGWU;
    uint40 expiry;
    uint40 postBy;
}

/// @notice A device's signed, cumulative claim for one job and period.
struct Receipt {
    bytes32 jobId;
    address device;
    uint32 period;
    bytes32 spansHash;
    bytes32 resultsRoot;
    uint32 count;
    uint64 totalWU;
    uint128 totalSquaredWU;
    uint128 amount;
    uint40 postBy;
}
