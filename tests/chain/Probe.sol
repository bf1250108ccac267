// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice What the tests of chain/ call: a counter that each key moves once, an event with structs, errors.
contract Probe {
    struct Part {
        address who;
        uint128 amount;
        bytes32[] marks;
    }

    event Moved(bytes32 indexed key, address indexed by, uint256 count, Part[] parts);

    error Probe_Taken(bytes32 key, uint256 count);
    error Probe_Closed();

    mapping(bytes32 key => bool) public taken;
    uint256 public count;
    bool public open = true;

    function setOpen(bool value) external {
        open = value;
    }

    function move(bytes32 key, Part[] calldata parts) external payable {
        if (!open) revert Probe_Closed();
        if (taken[key]) revert Probe_Taken(key, count);
        taken[key] = true;
        count += 1;
        emit Moved(key, msg.sender, count, parts);
    }

    function echo(Part calldata part, int8 small) external pure returns (Part memory, int8) {
        return (part, small);
    }

    function divide(uint256 by) external pure returns (uint256) {
        return 1 / by;
    }

    function plain() external pure {
        require(false, "as text");
    }
}
