// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice Who gets how much: a list in memory.
library Purse {
    struct List {
        address[] accounts;
        uint128[] amounts;
    }

    /// @notice An empty list with room for `most` accounts.
    function withRoom(uint256 most) internal pure returns (List memory list) {
        list = List(new address[](most), new uint128[](most));
        _setLength(list, 0);
    }

    /// @notice Adds an amount in wei to the account's one place; zero adds nothing. No more accounts than there is room for.
    /// @dev Looks through the whole list: for the few accounts that many amounts go to.
    function add(List memory list, address account, uint128 amount) internal pure {
        if (amount == 0) return;
        uint256 length = list.accounts.length;
        for (uint256 i; i < length; ++i) {
            if (list.accounts[i] != account) continue;
            list.amounts[i] += amount;
            return;
        }
        _append(list, account, amount);
    }

    /// @notice Adds equal parts; what does not divide goes to the first ones, a wei each.
    function addShares(List memory list, address[] memory accounts, uint128 amount) internal pure {
        for (uint256 i; i < accounts.length; ++i) {
            uint256 share = amount / accounts.length + (i < amount % accounts.length ? 1 : 0);
            add(list, accounts[i], uint128(share)); // at most amount
        }
    }

    function _append(List memory list, address account, uint128 amount) private pure {
        uint256 length = list.accounts.length;
        _setLength(list, length + 1);
        list.accounts[length] = account;
        list.amounts[length] = amount;
    }

    /// @dev The arrays were allocated with room for every length that is set here.
    function _setLength(List memory list, uint256 length) private pure {
        address[] memory accounts = list.accounts;
        uint128[] memory amounts = list.amounts;
        // The length stands before the elements.
        assembly ("memory-safe") {
            mstore(accounts, length)
            mstore(amounts, length)
        }
    }
}
