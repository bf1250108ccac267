// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LeafMoney} from "../interfaces/IEpochLedger.sol";

/// @notice Where the money of a leaf goes (docs/protocol.md section 5; in Python protocol/money.py). Token wei; shares in ppm.
library Money {
    uint256 internal constant PPM = 1e6;
    uint256 internal constant GWU = 1e9;
    /// @notice A device's pay is bonded until its stake is this many times its average task price.
    uint256 internal constant TARGET_TASKS = 300;

    /// @notice amount = floor(totalWU * price / 1e9); reverts past uint128.
    function amountDown(uint64 totalWU, uint128 priceWeiPerGWU) internal pure returns (uint128) {
        return _narrow(uint256(totalWU) * priceWeiPerGWU / GWU);
    }

    function feeDown(uint128 amount, uint24 feePpm) internal pure returns (uint128) {
        return _narrow(uint256(amount) * feePpm / PPM);
    }

    /// @notice The most that a leaf can cost its job: its sum in the receipt tree.
    function debitOf(uint128 amount, uint24 feePpm, uint24 rateFloorPpm) internal pure returns (uint128) {
        return amount + feeDown(amount, feePpm) + _halfDown(amount, rateFloorPpm);
    }

    /// @notice From the device's pay.
    function deductionDown(uint128 amount, uint24 rulePpm) internal pure returns (uint128) {
        return _halfDown(amount, rulePpm);
    }

    /// @notice From the buyer, for a floor above the rule.
    function surchargeDown(uint128 amount, uint24 rateFloorPpm, uint24 rulePpm) internal pure returns (uint128) {
        return rateFloorPpm > rulePpm ? _halfDown(amount, rateFloorPpm - rulePpm) : 0;
    }

    /// @notice Splits a leaf's amount.
    /// @param count tasks of the receipt, not zero
    /// @param stakeNow the device's stake before this leaf is paid
    function split(
        uint128 amount,
        uint32 count,
        uint24 feePpm,
        uint24 rateFloorPpm,
        uint24 rulePpm,
        uint128 stakeNow
    ) internal pure returns (LeafMoney memory money) {
        money.amount = amount;
        money.fee = feeDown(amount, feePpm);
        money.deduction = deductionDown(amount, rulePpm);
        money.surcharge = surchargeDown(amount, rateFloorPpm, rulePpm);
        uint128 net = amount - money.deduction;
        money.bonded = bondedOf(net, amount, count, stakeNow);
        money.paid = net - money.bonded;
    }

    /// @notice What of the net pay is added to the device's stake.
    function bondedOf(uint128 net, uint128 amount, uint32 count, uint128 stakeNow) internal pure returns (uint128) {
        uint256 target = TARGET_TASKS * (amount / count);
        if (target <= stakeNow) return 0;
        uint256 missing = target - stakeNow;
        return missing < net ? uint128(missing) : net; // below net, so it fits
    }

    /// @notice amount * ppm / 2e6: verification pays half of the replayed share.
    function _halfDown(uint128 amount, uint24 ppm) private pure returns (uint128) {
        return _narrow(uint256(amount) * ppm / (2 * PPM));
    }

    function _narrow(uint256 value) private pure returns (uint128) {
        if (value > type(uint128).max) revert Money_TooLarge(value);
        return uint128(value);
    }

    /// @notice Thrown when an amount does not fit in uint128.
    error Money_TooLarge(uint256 value);
}
