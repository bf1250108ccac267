// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title MANY, the market's token
/// @notice Fixed supply: what is burned in slashes never comes back, and nothing is ever minted again.
contract MultitudeToken is ERC20, ERC20Permit, ERC20Burnable {
    /// @notice Token wei minted once.
    uint256 public constant SUPPLY = 1e27;

    constructor(address receiver) ERC20("Multitude", "MANY") ERC20Permit("Multitude") {
        _mint(receiver, SUPPLY);
    }
}
