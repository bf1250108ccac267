// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Bid, Lease, Receipt} from "../interfaces/IMessages.sol";

/// @notice Struct hashes of the signed messages (docs/protocol.md section 2; in Python protocol/messages.py).
library Messages {
    bytes32 internal constant BID_TYPEHASH = keccak256(
        "Bid(address buyer,bytes32 programId,bytes32 inputsRoot,bytes32 manifest,uint32 taskCount,uint32 spanTasks,uint64 taskLimitWU,uint32 maxOutputBytes,uint128 maxPriceWeiPerGWU,uint128 budget,uint24 rateFloorPpm,uint128 minStake,uint40 deadline,address settler,uint24 maxFeePpm,bytes32 salt)"
    );
    bytes32 internal constant LEASE_TYPEHASH = keccak256(
        "Lease(bytes32 jobId,uint64 leaseId,uint32[] spans,address device,uint128 priceWeiPerGWU,uint40 expiry,uint40 postBy)"
    );
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 jobId,address device,uint32 period,bytes32 spansHash,bytes32 resultsRoot,uint32 count,uint64 totalWU,uint128 totalSquaredWU,uint128 amount,uint40 postBy)"
    );
    bytes32 internal constant BINDING_TYPEHASH = keccak256("Binding(address device,address owner)");
    bytes32 internal constant SESSION_TYPEHASH = keccak256("Session(address device,uint40 issuedAt,bytes32 nonce)");

    /// @notice The job id that a bid opens.
    function bidHash(Bid memory bid) internal pure returns (bytes32) {
        return keccak256(abi.encode(BID_TYPEHASH, bid));
    }

    function leaseHash(Lease calldata lease) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                LEASE_TYPEHASH,
                lease.jobId,
                lease.leaseId,
                keccak256(abi.encodePacked(lease.spans)), // array elements are padded to words by encodePacked
                lease.device,
                lease.priceWeiPerGWU,
                lease.expiry,
                lease.postBy
            )
        );
    }

    /// @notice The `receiptDigest` of the protocol; the device signs its typed-data digest.
    /// @dev Taken from memory, where a receipt's ten words stand as abi.encode has them: copied from calldata once, every
    /// field within its type, and hashed twice (the other is `MerkleSum.receiptLeaf`).
    function receiptHash(Receipt memory receipt) internal pure returns (bytes32 hash) {
        bytes32 typeHash = RECEIPT_TYPEHASH;
        // keccak256(abi.encode(RECEIPT_TYPEHASH, receipt)), in free memory that is not kept.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            mcopy(add(free, 32), receipt, 320)
            hash := keccak256(free, 352)
        }
    }

    function bindingHash(address device, address owner) internal pure returns (bytes32) {
        return keccak256(abi.encode(BINDING_TYPEHASH, device, owner));
    }

    function sessionHash(address device, uint40 issuedAt, bytes32 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encode(SESSION_TYPEHASH, device, issuedAt, nonce));
    }
}
