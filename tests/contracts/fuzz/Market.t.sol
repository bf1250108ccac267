// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Books} from "./Books.sol";

/// @notice The invariants of docs/invariants.md that hold after any sequence of calls; the numbers are that file's.
contract MarketTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Books private _market;

    function setUp() public {
        _market = new Books();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_market);
    }

    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(_market), new bytes4[](1));
        excluded[0].selectors[0] = Books.windDown.selector;
    }

    /// @dev What never happens is not tested: every action gets through somewhere in 40 short runs.
    function test_every_action_gets_through() external {
        string[12] memory actions = [
            "post", "attest", "claim", "redraw", "settleRedraw", "challenge", "judge", "appeal", "resolve", "voidLeaf",
            "voidEpoch", "returnUnclaimed"
        ];
        uint256[12] memory happened;
        for (uint256 run; run < 40; ++run) {
            Books market = new Books();
            _leaveUnseeded(market, run);
            for (uint256 i; i < 10; ++i) _tell(market, uint256(keccak256(abi.encode(run, i))));
            for (uint256 i; i < 12; ++i) try market.returnUnclaimed(i, 0) {} catch {}
            for (uint256 i; i < actions.length; ++i) happened[i] += market.done(actions[i]);
        }
        for (uint256 i; i < actions.length; ++i) require(happened[i] != 0, actions[i]);
    }

    function _leaveUnseeded(Books market, uint256 shape) private {
        try market.post(12, 0, shape) {} catch {}
        market.wait(39);
        market.wait(39);
        try market.voidEpoch(0) {} catch {}
    }

    function _tell(Books market, uint256 bits) private {
        market.tell(bits | 12, bits >> 8, bits >> 16, bits >> 32, bits >> 64);
    }

    function invariant_market() external view {
        // 1
        require(_market.token().balanceOf(address(_market.escrow())) == _market.escrowOwes(), "1: escrow");
        require(_market.token().balanceOf(address(_market.vault())) == _market.vaultOwes(), "1: vault");
        require(_market.token().balanceOf(address(_market.seats())) == _market.seatsOwe(), "1: seats");
        require(_market.token().balanceOf(address(_market.ledger())) == 0, "1: ledger");
        require(_market.token().balanceOf(address(_market.attestations())) == 0, "1: attestations");
        require(_market.token().balanceOf(address(_market.panel())) == 0, "1: panel");
        // 2
        require(address(_market.panel()).balance == _market.panelOwes(), "2: native coin");
        // 3, 4
        require(_market.spansAddUp(), "3: spans");
        require(_market.budgetsAddUp(), "4: budgets");
        // 5, 6
        require(_market.bondsAddUp(), "5: epoch bonds");
        require(_market.gamesAddUp(), "6: open games");
        // 7 to 12: what each call found
        require(bytes(_market.broken()).length == 0, _market.broken());
    }

    /// @dev 13: after a run everything is wound down, and nothing is left.
    function afterInvariant() external {
        _market.windDown();
        require(_market.token().balanceOf(address(_market.escrow())) == 0, "13: escrow");
        require(_market.token().balanceOf(address(_market.vault())) == 0, "13: vault");
        require(_market.token().balanceOf(address(_market.seats())) == 0, "13: seats");
        require(address(_market.panel()).balance == 0, "13: native coin");
    }
}
