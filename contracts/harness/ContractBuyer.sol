// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IJobEscrow} from "../interfaces/IJobEscrow.sol";

/// @title A buyer that is a contract (EIP-1271): for tests only
contract ContractBuyer is IERC1271 {
    bytes32 public approved;

    function approve(bytes32 digest) external {
        approved = digest;
    }

    function deposit(IERC20 token, IJobEscrow escrow, uint128 amount) external {
        token.approve(address(escrow), amount);
        escrow.deposit(amount);
    }

    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return digest == approved ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
