// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ISeats, Seat, Settler, Verifier} from "../interfaces/ISeats.sol";

struct SeatsParameters {
    uint128 seatStake; // token wei for each seat
    uint128 epochBond; // token wei locked for each unfinished epoch
    uint40 seatPeriod_s;
    uint40 unbonding_s;
    uint40 convictionPath_s; // the longest time from a posting to the conviction that follows from it
}

/// @title Verifiers' seats, settlers' bonds, and shares of what either lost
contract Seats is ISeats {
    using SafeERC20 for IERC20;

    /// @dev Draws loop over the seats in memory: a bound keeps every call within a block.
    uint32 private constant MAX_SEATS = 1024;
    uint24 private constant MAX_FEE_PPM = 30_000;
    uint128 private constant WINNER_DIVISOR = 4;

    /// @dev What a verifier holds in a snapshot; four to a slot.
    struct Holding {
        uint32 verifierId;
        uint32 seats;
    }

    IERC20 public immutable token;
    address public immutable ledger;
    address public immutable attestations;
    address public immutable panel;
    uint128 public immutable seatStake;
    uint128 public immutable epochBond;
    uint40 public immutable seatPeriod_s;
    uint40 public immutable unbonding_s;
    uint40 private immutable _startedAt;

    mapping(address verifier => Verifier) private _verifiers;
    address[] private _verifierIds;
    mapping(address verifier => uint256) private _idPlusOne;

    Holding[][] private _snapshots;
    Holding[] private _live; // one for each verifier that ever joined and holds seats now
    mapping(uint32 verifierId => uint256) private _livePlusOne;
    uint32 private _liveSeats;
    uint40 private _changedIn; // period of the last change
    bool private _changed; // since the latest snapshot

    mapping(address settler => Settler) private _settlers;
    mapping(address account => uint128) public earned;

    modifier onlyLedger() {
        if (msg.sender != ledger) revert Seats_NotAllowed(msg.sender);
        _;
    }

    modifier onlyJudges() {
        if (msg.sender != ledger && msg.sender != attestations && msg.sender != panel) {
            revert Seats_NotAllowed(msg.sender);
        }
        _;
    }

    constructor(
        IERC20 token_,
        address ledger_,
        address attestations_,
        address panel_,
        SeatsParameters memory parameters
    ) {
        if (parameters.seatStake == 0 || parameters.epochBond == 0 || parameters.seatPeriod_s == 0) {
            revert Seats_ZeroParameter();
        }
        // INVARIANT: a seat that leaves may be drawn until its period ends, and stays slashable for all that it attests.
        uint40 needed = parameters.convictionPath_s + parameters.seatPeriod_s;
        if (parameters.unbonding_s <= needed) revert Seats_UnbondingTooShort(parameters.unbonding_s, needed);
        token = token_;
        ledger = ledger_;
        attestations = attestations_;
        panel = panel_;
        seatStake = parameters.seatStake;
        epochBond = parameters.epochBond;
        seatPeriod_s = parameters.seatPeriod_s;
        unbonding_s = parameters.unbonding_s;
        _startedAt = uint40(block.timestamp);
        _snapshots.push(); // snapshot 0: no seats
    }

    // --- verifiers

    /// @inheritdoc ISeats
    function join(uint32 count, address owner) external {
        Verifier storage verifier = _verifiers[msg.sender];
        if (count == 0 || owner == address(0)) revert Seats_NothingGiven();
        if (verifier.owner != address(0) && verifier.owner != owner) revert Seats_OtherOwner(owner, verifier.owner);
        if (uint256(_liveSeats) + count > MAX_SEATS) revert Seats_TooMany(uint256(_liveSeats) + count, MAX_SEATS);
        token.safeTransferFrom(msg.sender, address(this), uint256(seatStake) * count); // first: what counts has arrived
        if (verifier.owner == address(0)) {
            verifier.owner = owner;
            _verifierIds.push(msg.sender);
            _idPlusOne[msg.sender] = _verifierIds.length;
        }
        _setSeats(msg.sender, verifier.seats + count);
        emit SeatsJoined(msg.sender, owner, count);
    }

    /// @inheritdoc ISeats
    function leave(uint32 count) external {
        Verifier storage verifier = _verifiers[msg.sender];
        if (count == 0) revert Seats_NothingGiven();
        if (count > verifier.seats) revert Seats_TooFew(verifier.seats, count);
        _setSeats(msg.sender, verifier.seats - count);
        verifier.unbonding += seatStake * count;
        verifier.unbondsAt = uint40(block.timestamp) + unbonding_s;
        emit SeatsLeft(msg.sender, count);
    }

    /// @inheritdoc ISeats
    function withdrawSeatStake() external {
        Verifier storage verifier = _verifiers[msg.sender];
        uint128 amount = verifier.unbonding;
        if (amount == 0) revert Seats_NothingUnbonding(msg.sender);
        if (block.timestamp < verifier.unbondsAt) revert Seats_TooSoon(block.timestamp, verifier.unbondsAt);
        verifier.unbonding = 0;
        emit SeatStakeWithdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc ISeats
    function verifierOf(address verifier) external view returns (Verifier memory) {
        return _verifiers[verifier];
    }

    // --- settlers

    /// @inheritdoc ISeats
    function depositBond(uint128 amount, uint24 feePpm) external {
        if (feePpm > MAX_FEE_PPM) revert Seats_FeeTooHigh(feePpm, MAX_FEE_PPM);
        token.safeTransferFrom(msg.sender, address(this), amount); // first: what counts has arrived
        Settler storage settler = _settlers[msg.sender];
        settler.bond += amount;
        settler.feePpm = feePpm;
        emit BondDeposited(msg.sender, amount, feePpm);
    }

    /// @inheritdoc ISeats
    function requestBondBack(uint128 amount) external {
        Settler storage settler = _settlers[msg.sender];
        if (amount == 0) revert Seats_NothingGiven();
        uint128 free = _free(settler);
        if (amount > free) revert Seats_BondTooLow(free, amount);
        settler.bond -= amount;
        settler.unbonding += amount;
        settler.unbondsAt = uint40(block.timestamp) + unbonding_s;
        emit BondRequestedBack(msg.sender, amount, settler.unbondsAt);
    }

    /// @inheritdoc ISeats
    function withdrawBond() external {
        Settler storage settler = _settlers[msg.sender];
        uint128 amount = settler.unbonding;
        if (amount == 0) revert Seats_NothingUnbonding(msg.sender);
        if (block.timestamp < settler.unbondsAt) revert Seats_TooSoon(block.timestamp, settler.unbondsAt);
        settler.unbonding = 0;
        emit BondWithdrawn(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc ISeats
    function settlerOf(address settler) external view returns (Settler memory) {
        return _settlers[settler];
    }

    /// @inheritdoc ISeats
    function isBonded(address settler) external view returns (bool) {
        return _free(_settlers[settler]) >= epochBond;
    }

    /// @inheritdoc ISeats
    function lockEpochBond(address account) external onlyLedger {
        Settler storage settler = _settlers[account];
        uint128 free = _free(settler);
        if (free < epochBond) revert Seats_BondTooLow(free, epochBond);
        settler.locked += epochBond;
        emit BondLocked(account);
    }

    /// @inheritdoc ISeats
    function releaseEpochBond(address account) external onlyLedger {
        _unlock(account);
        emit BondReleased(account);
    }

    /// @inheritdoc ISeats
    function burnEpochBond(address account) external onlyLedger {
        _unlock(account);
        uint128 burned = _takeFromBond(account, epochBond);
        emit BondBurned(account, burned);
        _burn(burned);
    }

    /// @inheritdoc ISeats
    function payFromBond(address account, address[] calldata accounts, uint128 amount) external onlyJudges {
        if (accounts.length == 0) return;
        uint128 number = uint128(accounts.length);
        Settler storage settler = _settlers[account];
        uint128 share = uint128(Math.min(amount, settler.bond + settler.unbonding)) / number;
        uint128 paid = _takeFromBond(account, share * number);
        emit BondPaid(account, paid, accounts);
        for (uint256 i; i < accounts.length; ++i) _credit(accounts[i], share);
    }

    // --- earnings

    /// @inheritdoc ISeats
    function withdrawEarned(address account) external {
        uint128 amount = earned[account];
        earned[account] = 0;
        emit Withdrawn(account, amount);
        token.safeTransfer(account, amount);
    }

    // --- slashing

    /// @inheritdoc ISeats
    function slashSeat(address account, address winner, bytes32 cause) external onlyJudges {
        Verifier storage verifier = _verifiers[account];
        uint128 amount = seatStake;
        if (verifier.seats > 0) {
            _setSeats(account, verifier.seats - 1);
        } else {
            amount = uint128(Math.min(amount, verifier.unbonding));
            verifier.unbonding -= amount;
        }
        emit SeatSlashed(account, amount, cause);
        // INVARIANT: at most a quarter of a slash reaches anybody.
        uint128 toWinner = winner == address(0) ? 0 : amount / WINNER_DIVISOR;
        if (toWinner > 0) _credit(winner, toWinner);
        _burn(amount - toWinner);
    }

    // --- snapshots

    /// @inheritdoc ISeats
    function snapshot() external returns (uint32) {
        uint40 period = _period();
        // INVARIANT: seat changes count from the next period (those of the first period, at deployment, at once).
        if (_changed && (period > _changedIn || period == 0)) _takeSnapshot();
        return uint32(_snapshots.length - 1);
    }

    /// @inheritdoc ISeats
    function seatCount(uint32 snapshotId) external view returns (uint32 count) {
        Holding[] storage holdings = _snapshot(snapshotId);
        for (uint256 i; i < holdings.length; ++i) count += holdings[i].seats;
    }

    /// @inheritdoc ISeats
    function verifierCount(uint32 snapshotId) external view returns (uint32) {
        return uint32(_snapshot(snapshotId).length);
    }

    /// @inheritdoc ISeats
    function seatAt(uint32 snapshotId, uint32 index) external view returns (Seat memory) {
        Holding[] storage holdings = _snapshot(snapshotId);
        uint256 passed;
        for (uint256 i; i < holdings.length; ++i) {
            passed += holdings[i].seats;
            if (index < passed) return _seatOf(holdings[i].verifierId);
        }
        revert Seats_Unknown(index, passed);
    }

    /// @inheritdoc ISeats
    function seatsIn(uint32 snapshotId) external view returns (Seat[] memory list) {
        Holding[] memory holdings = _snapshot(snapshotId);
        uint256 count;
        for (uint256 i; i < holdings.length; ++i) count += holdings[i].seats;
        list = new Seat[](count);
        uint256 next;
        for (uint256 i; i < holdings.length; ++i) {
            Seat memory seat = _seatOf(holdings[i].verifierId);
            for (uint256 j; j < holdings[i].seats; ++j) list[next++] = seat; // read only: one seat in memory will do
        }
    }

    /// @inheritdoc ISeats
    function seatsOf(uint32 snapshotId, address verifier) external view returns (uint32) {
        Holding[] storage holdings = _snapshot(snapshotId);
        uint256 idPlusOne = _idPlusOne[verifier];
        for (uint256 i; i < holdings.length; ++i) {
            if (uint256(holdings[i].verifierId) + 1 == idPlusOne) return holdings[i].seats;
        }
        return 0;
    }

    // --- inside

    /// @dev Closes the past period's changes before this one's are made.
    function _setSeats(address account, uint32 count) private {
        uint40 period = _period();
        if (_changed && period > _changedIn) _takeSnapshot();
        _changed = true;
        _changedIn = period;
        Verifier storage verifier = _verifiers[account];
        _liveSeats = _liveSeats - verifier.seats + count;
        verifier.seats = count;
        _setHolding(uint32(_idPlusOne[account] - 1), count);
    }

    function _setHolding(uint32 verifierId, uint32 count) private {
        uint256 place = _livePlusOne[verifierId];
        if (place == 0) {
            _live.push(Holding(verifierId, count));
            _livePlusOne[verifierId] = _live.length;
        } else if (count > 0) {
            _live[place - 1].seats = count;
        } else {
            Holding memory last = _live[_live.length - 1];
            _live[place - 1] = last;
            _livePlusOne[last.verifierId] = place;
            _live.pop();
            delete _livePlusOne[verifierId]; // after the move: the last one may be this one
        }
    }

    function _takeSnapshot() private {
        _changed = false;
        _snapshots.push(_live);
        emit SnapshotTaken(uint32(_snapshots.length - 1), _liveSeats, uint32(_live.length));
    }

    function _snapshot(uint32 snapshotId) private view returns (Holding[] storage) {
        if (snapshotId >= _snapshots.length) revert Seats_Unknown(snapshotId, _snapshots.length);
        return _snapshots[snapshotId];
    }

    function _seatOf(uint32 verifierId) private view returns (Seat memory) {
        address verifier = _verifierIds[verifierId];
        return Seat(verifier, _verifiers[verifier].owner);
    }

    function _period() private view returns (uint40) {
        return (uint40(block.timestamp) - _startedAt) / seatPeriod_s;
    }

    function _free(Settler storage settler) private view returns (uint128) {
        return settler.bond > settler.locked ? settler.bond - settler.locked : 0;
    }

    function _unlock(address account) private {
        Settler storage settler = _settlers[account];
        if (settler.locked < epochBond) revert Seats_NotLocked(account);
        settler.locked -= epochBond;
    }

    /// @dev Takes up to `amount`, from the unbonding part last.
    function _takeFromBond(address account, uint128 amount) private returns (uint128 taken) {
        Settler storage settler = _settlers[account];
        taken = uint128(Math.min(amount, settler.bond));
        uint128 rest = uint128(Math.min(amount - taken, settler.unbonding));
        settler.bond -= taken;
        settler.unbonding -= rest;
        taken += rest;
    }

    function _credit(address account, uint128 amount) private {
        earned[account] += amount;
        emit Credited(account, amount);
    }

    function _burn(uint128 amount) private {
        if (amount > 0) ERC20Burnable(address(token)).burn(amount);
    }
}
