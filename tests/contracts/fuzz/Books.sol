// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EpochState} from "../../../contracts/interfaces/IAttestations.sol";
import {Head} from "../../../contracts/interfaces/IEpochLedger.sol";
import {Job, JobPhase} from "../../../contracts/interfaces/IJobEscrow.sol";
import {Settler, Verifier} from "../../../contracts/interfaces/ISeats.sol";
import {Device} from "../../../contracts/interfaces/IStakeVault.sol";
import {Handler} from "./Handler.sol";
import {VM} from "./Vm.sol";

/// @notice What the contracts must hold and owe, added up from everybody's records; and the end of the market.
contract Books is Handler {
    address private immutable _test = msg.sender;

    // --- tokens

    function escrowOwes() public view returns (uint256 sum) {
        sum = _credited();
        for (uint256 i; i < buyers.length; ++i) sum += escrow.balanceOf(_who(buyers[i]));
        for (uint256 i; i < jobs.length; ++i) sum += uint256(escrow.jobOf(jobs[i]).available) + escrow.jobOf(jobs[i]).debited;
    }

    function vaultOwes() public view returns (uint256 sum) {
        for (uint256 i; i < devices.length; ++i) {
            Device memory device = vault.deviceOf(_who(devices[i]));
            sum += uint256(device.stake) + device.unbonding;
        }
    }

    function seatsOwe() public view returns (uint256 sum) {
        for (uint256 i; i < verifiers.length; ++i) {
            Verifier memory verifier = seats.verifierOf(_who(verifiers[i]));
            sum += uint256(verifier.seats) * SEAT_STAKE + verifier.unbonding + seats.earned(_who(verifiers[i]));
        }
        for (uint256 i; i < settlers.length; ++i) {
            Settler memory settler = seats.settlerOf(_who(settlers[i]));
            sum += uint256(settler.bond) + settler.unbonding + seats.earned(_who(settlers[i]));
        }
        sum += seats.earned(STRANGER);
    }

    /// @dev Native coin: what is owed, and the bonds of games that are not resolved.
    function panelOwes() public view returns (uint256 sum) {
        for (uint256 i; i < verifiers.length; ++i) sum += panel.owed(_who(verifiers[i]));
        sum += panel.owed(STRANGER);
        for (uint256 i; i < games.length; ++i) if (!games[i].resolved) sum += games[i].bonds;
    }

    // --- jobs

    /// @notice Every wei of each budget is available, debited, spent or refunded, and its debits are those of its epochs.
    function budgetsAddUp() external view returns (bool) {
        for (uint256 i; i < jobs.length; ++i) {
            Job memory job = escrow.jobOf(jobs[i]);
            uint256 kept = uint256(job.available) + job.debited + spentOn[jobs[i]];
            if (kept > bidOf[jobs[i]].budget) return false;
            if (job.phase != JobPhase.Closed && kept != bidOf[jobs[i]].budget) return false;
            if (job.debited != _openDebits(jobs[i])) return false;
        }
        return true;
    }

    function _openDebits(bytes32 jobId) private view returns (uint256 sum) {
        for (uint64 id = 1; id <= ledger.epochCount(); ++id) {
            Head memory head = _head(id);
            for (uint32 i; i < head.entries.length; ++i) {
                (uint128 open,) = ledger.outstanding(id, i);
                if (head.entries[i].jobId == jobId) sum += open;
            }
        }
    }

    /// @notice The escrow's bitmaps are the spans of the claims that went through.
    function spansAddUp() external view returns (bool) {
        for (uint256 i; i < jobs.length; ++i) {
            if (escrow.paidWord(jobs[i], 0) != paidSpans[jobs[i]]) return false;
            if (escrow.jobOf(jobs[i]).spansUnpaid != TASKS - _ones(paidSpans[jobs[i]])) return false;
        }
        return true;
    }

    // --- bonds and games

    /// @notice Each settler has one epoch bond locked for each of its epochs that is not finished.
    function bondsAddUp() external view returns (bool) {
        for (uint256 i; i < settlers.length; ++i) {
            address who = _who(settlers[i]);
            uint256 unfinished;
            for (uint64 id = 1; id <= ledger.epochCount(); ++id) {
                if (_head(id).settler == who && !_isFinished(id)) ++unfinished;
            }
            if (seats.settlerOf(who).locked != unfinished * EPOCH_BOND) return false;
        }
        return true;
    }

    function _isFinished(uint64 epochId) private view returns (bool) {
        Head memory head = _head(epochId);
        for (uint32 i; i < head.entries.length; ++i) {
            (, uint128 settled) = ledger.outstanding(epochId, i);
            if (_ones(settled) != head.entries[i].count) return false;
        }
        return true;
    }

    /// @notice Each device has as many open games as were opened on it and not resolved.
    function gamesAddUp() external view returns (bool) {
        for (uint256 i; i < devices.length; ++i) {
            uint256 open;
            for (uint256 j; j < games.length; ++j) {
                if (!games[j].resolved && leavesOf[games[j].epochId][games[j].leaf].device == i) ++open;
            }
            if (vault.deviceOf(_who(devices[i])).openGames != open) return false;
        }
        return true;
    }

    // --- the end

    /// @notice Long after: resolves every game, returns every epoch, closes every job, and takes everything out.
    function windDown() external {
        require(msg.sender == _test, "test only");
        _pass(FAR);
        for (uint256 i; i < games.length; ++i) if (!games[i].resolved) resolve(i, 0);
        for (uint64 id = 1; id <= ledger.epochCount(); ++id) _endEpoch(id);
        for (uint256 i; i < 2 * jobs.length; ++i) {
            if (escrow.jobOf(jobs[i / 2]).phase != JobPhase.Closed) closeJob(i / 2);
            _pass(GRACE + 1);
        }
        for (uint256 i; i < buyers.length; ++i) _takeBalance(_who(buyers[i]));
        for (uint256 i; i < owners.length; ++i) _takeBalance(_who(owners[i]));
        for (uint256 i; i < verifiers.length; ++i) _takeBalance(_who(verifiers[i]));
        for (uint256 i; i < settlers.length; ++i) _takeBalance(_who(settlers[i]));
        for (uint256 i; i < 4; ++i) _leaveDevice(i);
        for (uint256 i; i < verifiers.length; ++i) _leaveSeats(_who(verifiers[i]));
        for (uint256 i; i < settlers.length; ++i) _leaveBond(_who(settlers[i]));
        _pass(FAR);
        for (uint256 i; i < 4; ++i) {
            if (vault.deviceOf(_who(devices[i])).unbonding != 0) vault.withdrawStake(_who(devices[i]));
            if (seats.verifierOf(_who(verifiers[i])).unbonding != 0) {
                _as(_who(verifiers[i]), address(seats), abi.encodeCall(seats.withdrawSeatStake, ()));
            }
        }
        for (uint256 i; i < settlers.length; ++i) {
            if (seats.settlerOf(_who(settlers[i])).unbonding == 0) continue;
            _as(_who(settlers[i]), address(seats), abi.encodeCall(seats.withdrawBond, ()));
        }
    }

    function _endEpoch(uint64 id) private {
        if (_isFinished(id)) return;
        if (attestations.stateOf(id) == EpochState.Void) return ledger.voidEpoch(id, _head(id));
        uint256 number = _head(id).entries.length;
        for (uint32 i; i < number; ++i) {
            (, uint128 settled) = ledger.outstanding(id, i);
            if (_ones(settled) != _head(id).entries[i].count) ledger.returnUnclaimed(id, _head(id), i);
        }
    }

    function _takeBalance(address account) private {
        _as(account, address(escrow), abi.encodeCall(escrow.withdraw, (escrow.balanceOf(account))));
    }

    function _leaveDevice(uint256 i) private {
        uint128 staked = vault.deviceOf(_who(devices[i])).stake;
        if (staked != 0) _as(_who(owners[i]), address(vault), abi.encodeCall(vault.requestUnstake, (_who(devices[i]), staked)));
    }

    function _leaveSeats(address verifier) private {
        uint32 count = seats.verifierOf(verifier).seats;
        if (count != 0) _as(verifier, address(seats), abi.encodeCall(seats.leave, (count)));
        seats.withdrawEarned(verifier);
        if (panel.owed(verifier) != 0) panel.withdraw(verifier);
    }

    function _leaveBond(address settler) private {
        uint128 left = seats.settlerOf(settler).bond;
        if (left != 0) _as(settler, address(seats), abi.encodeCall(seats.requestBondBack, (left)));
        seats.withdrawEarned(settler);
        seats.withdrawEarned(STRANGER);
        if (panel.owed(STRANGER) != 0) panel.withdraw(STRANGER);
    }
}
