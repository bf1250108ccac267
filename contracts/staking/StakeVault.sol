// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {Device, IStakeVault, Standing} from "../interfaces/IStakeVault.sol";
import {Messages} from "../libraries/Messages.sol";

struct VaultParameters {
    uint128 minimumStake; // S_min, token wei
    uint40 unbonding_s;
    uint40 convictionPath_s; // the longest time from a posting to the conviction that follows from it
}

/// @title Stake of each device
contract StakeVault is IStakeVault {
    using SafeERC20 for IERC20;
    using Checkpoints for Checkpoints.Trace208;

    /// @dev The winners' part of a slash is a quarter: more would come back to a cheat who convicts himself first.
    uint128 private constant PAID_DIVISOR = 4;
    uint128 private constant JUDGES_DIVISOR = 5;

    IERC20 public immutable token;
    IJobEscrow public immutable escrow;
    address public immutable ledger;
    address public immutable panel;
    uint128 public immutable minimumStake;
    uint40 public immutable unbonding_s;

    mapping(address device => Device) private _devices;
    mapping(address device => Checkpoints.Trace208) private _history;

    modifier only(address caller) {
        if (msg.sender != caller) revert StakeVault_NotAllowed(msg.sender);
        _;
    }

    constructor(IERC20 token_, IJobEscrow escrow_, address ledger_, address panel_, VaultParameters memory parameters) {
        // INVARIANT: stake stays slashable until whatever was posted under it can no longer be convicted.
        if (parameters.unbonding_s <= parameters.convictionPath_s) {
            revert StakeVault_UnbondingTooShort(parameters.unbonding_s, parameters.convictionPath_s);
        }
        token = token_;
        escrow = escrow_;
        ledger = ledger_;
        panel = panel_;
        minimumStake = parameters.minimumStake;
        unbonding_s = parameters.unbonding_s;
    }

    /// @inheritdoc IStakeVault
    function bind(address device, address owner, bytes calldata deviceSignature, bytes calldata ownerSignature)
        external
    {
        // INVARIANT: a device has one owner for good, and both agreed.
        if (_devices[device].owner != address(0)) revert StakeVault_AlreadyBound(device, _devices[device].owner);
        bytes32 digest = escrow.digestOf(Messages.bindingHash(device, owner));
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecoverCalldata(digest, deviceSignature);
        if (problem != ECDSA.RecoverError.NoError || signer != device) revert StakeVault_BadSignature(device);
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, ownerSignature)) {
            revert StakeVault_BadSignature(owner);
        }
        _devices[device].owner = owner;
        emit Bound(device, owner);
    }

    /// @inheritdoc IStakeVault
    function stake(address device, uint128 amount) external {
        _bound(device);
        token.safeTransferFrom(msg.sender, address(this), amount); // first: what is counted has arrived
        _addStake(device, amount);
        emit Staked(device, msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function requestUnstake(address device, uint128 amount) external {
        Device storage record = _bound(device);
        if (msg.sender != record.owner) revert StakeVault_NotOwner(msg.sender, record.owner);
        if (amount > record.stake) revert StakeVault_StakeTooLow(record.stake, amount);
        uint104 moved = uint104(amount); // at most the stake
        record.unbonding += moved;
        record.unbondsAt = uint40(block.timestamp) + unbonding_s;
        _setStake(device, record.stake - moved);
        emit UnstakeRequested(device, amount, record.unbondsAt);
    }

    /// @inheritdoc IStakeVault
    function withdrawStake(address device) external {
        Device storage record = _bound(device);
        if (record.openGames != 0) revert StakeVault_GameOpen(device, record.openGames);
        uint128 amount = record.unbonding;
        if (amount == 0) revert StakeVault_NothingUnbonding(device);
        if (block.timestamp < record.unbondsAt) revert StakeVault_TooSoon(block.timestamp, record.unbondsAt);
        record.unbonding = 0;
        emit Unstaked(device, record.owner, amount);
        token.safeTransfer(record.owner, amount);
    }

    /// @inheritdoc IStakeVault
    function bondPay(address device, uint128 amount) external only(ledger) {
        _bound(device);
        _addStake(device, amount);
        emit Bonded(device, amount);
    }

    /// @inheritdoc IStakeVault
    function gameOpened(address device) external only(panel) {
        emit GameOpened(device, ++_devices[device].openGames);
    }

    /// @inheritdoc IStakeVault
    function gameClosed(address device) external only(panel) {
        emit GameClosed(device, --_devices[device].openGames);
    }

    /// @inheritdoc IStakeVault
    function convict(address device, address[] calldata winners, address[] calldata judges)
        external
        only(panel)
        returns (uint128 slashed)
    {
        Device storage record = _devices[device];
        slashed = uint128(record.stake) + record.unbonding;
        record.convicted = true;
        record.unbonding = 0;
        _setStake(device, 0);
        // INVARIANT: at most a quarter of a slash reaches anybody.
        uint128 quarter = slashed / PAID_DIVISOR;
        uint128 forJudges = judges.length == 0 ? 0 : quarter / JUDGES_DIVISOR;
        uint128 toJudge = _equalPart(forJudges, judges.length);
        uint128 toWinner = _equalPart(quarter - forJudges, winners.length);
        uint128 paid = toJudge * uint128(judges.length) + toWinner * uint128(winners.length); // at most a quarter
        emit Convicted(device, slashed, paid, slashed - paid);
        _sendEach(judges, toJudge);
        _sendEach(winners, toWinner);
        if (slashed > paid) ERC20Burnable(address(token)).burn(slashed - paid);
    }

    /// @inheritdoc IStakeVault
    function deviceOf(address device) external view returns (Device memory) {
        return _devices[device];
    }

    /// @inheritdoc IStakeVault
    function stakeAt(address device, uint256 blockNumber) external view returns (uint128) {
        return _stakeAt(device, _devices[device], blockNumber);
    }

    /// @inheritdoc IStakeVault
    function standingsAt(address[] calldata devices, uint256 blockNumber)
        external
        view
        returns (Standing[] memory standings)
    {
        standings = new Standing[](devices.length);
        for (uint256 i; i < devices.length; ++i) {
            Device storage record = _devices[devices[i]];
            Standing memory standing = standings[i];
            (standing.owner, standing.convicted, standing.openGames) = (record.owner, record.convicted, record.openGames);
            standing.stakeNow = record.stake;
            standing.stakeThen = _stakeAt(devices[i], record, blockNumber);
        }
    }

    /// @dev The history is read only where the stake changed since.
    function _stakeAt(address device, Device storage record, uint256 blockNumber) private view returns (uint128) {
        // INVARIANT: a block's stake is read only when it can no longer change.
        if (blockNumber >= block.number) revert StakeVault_BlockNotOver(blockNumber, block.number);
        uint256 counted = record.changedIn <= blockNumber
            ? record.stake
            : _history[device].upperLookupRecent(uint48(blockNumber));
        // INVARIANT: stake that no game can take (Panel asks for the minimum) lowers no rate.
        return counted < minimumStake ? 0 : uint128(counted); // only uint104 are pushed
    }

    /// @dev The device's record; refuses one that is not bound, or convicted.
    function _bound(address device) private view returns (Device storage record) {
        record = _devices[device];
        if (record.owner == address(0)) revert StakeVault_NotBound(device);
        if (record.convicted) revert StakeVault_Convicted(device);
    }

    function _equalPart(uint128 amount, uint256 parts) private pure returns (uint128) {
        return parts == 0 ? 0 : uint128(amount / parts); // at most amount
    }

    function _sendEach(address[] calldata accounts, uint128 amount) private {
        for (uint256 i; i < accounts.length && amount > 0; ++i) token.safeTransfer(accounts[i], amount);
    }

    function _addStake(address device, uint128 amount) private {
        _setStake(device, _devices[device].stake + SafeCast.toUint104(amount));
    }

    function _setStake(address device, uint104 stake_) private {
        Device storage record = _devices[device];
        record.stake = stake_;
        record.changedIn = uint48(block.number);
        _history[device].push(uint48(block.number), stake_);
    }
}
