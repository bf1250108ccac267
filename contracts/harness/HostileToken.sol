// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";

/// @title A token that calls back in the middle of a transfer: for tests only
/// @dev It is at the same time an account of the contract under attack, so that the call that it makes comes from a holder.
contract HostileToken is ERC20, ERC20Burnable {
    address private _target;
    bytes private _data;
    bool private _armed;

    /// @notice Whether the call back went through, and how often it was made.
    bool public reentered;
    uint256 public attempts;

    constructor() ERC20("Hostile", "BAD") {
        _mint(msg.sender, 1e27);
    }

    /// @notice Makes the next transfer out of `target` call `target` with `data`.
    function arm(address target, bytes calldata data) external {
        (_target, _data, _armed) = (target, data, true);
    }

    /// @notice Calls as this account.
    function act(address target, bytes calldata data) external {
        (bool ok, bytes memory answer) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function _update(address from, address to, uint256 value) internal override {
        if (_armed && from == _target) {
            _armed = false;
            ++attempts;
            (reentered,) = _target.call(_data);
        }
        super._update(from, to, value);
    }
}
