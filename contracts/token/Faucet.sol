// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Tokens for trying the market on test networks
/// @notice Hands a fixed amount to each account, again after a cooldown, as long as it holds tokens.
/// Warning: nothing stops one person from using many accounts.
contract Faucet {
    using SafeERC20 for IERC20;

    event Dripped(address indexed account, uint256 amount);

    /// @notice Thrown when deployed on Ethereum's main network.
    error Faucet_NotForMainnet();
    /// @notice Thrown when the account's cooldown is not over.
    error Faucet_TooSoon(uint256 got, uint256 needed);

    IERC20 public immutable token;
    /// @notice Token wei for each call.
    uint256 public immutable amount;
    uint40 public immutable cooldown_s;
    /// @notice Unix seconds from which an account may ask again.
    mapping(address account => uint256) public nextAt;

    constructor(IERC20 token_, uint256 amount_, uint40 cooldown_s_) {
        if (block.chainid == 1) revert Faucet_NotForMainnet();
        token = token_;
        amount = amount_;
        cooldown_s = cooldown_s_;
    }

    /// @notice Sends the fixed amount to `account`; by anyone, since a new account has nothing to pay the chain with.
    function drip(address account) external {
        if (block.timestamp < nextAt[account]) revert Faucet_TooSoon(block.timestamp, nextAt[account]);
        nextAt[account] = block.timestamp + cooldown_s;
        emit Dripped(account, amount);
        token.safeTransfer(account, amount);
    }
}
