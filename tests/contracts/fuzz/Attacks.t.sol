// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EpochState} from "../../../contracts/interfaces/IAttestations.sol";
import {GameState} from "../../../contracts/interfaces/IDisputeGame.sol";
import {Entry} from "../../../contracts/interfaces/IEpochLedger.sol";
import {IAttestations} from "../../../contracts/interfaces/IAttestations.sol";
import {IJobEscrow} from "../../../contracts/interfaces/IJobEscrow.sol";
import {IPanel} from "../../../contracts/interfaces/IPanel.sol";
import {Ballot} from "../../../contracts/libraries/Ballot.sol";
import {Bid} from "../../../contracts/interfaces/IMessages.sol";
import {Actors} from "./Actors.sol";
import {VM} from "./Vm.sol";

/// @notice Attacks that once worked, or that show what the fuzzing takes for granted.
contract AttacksTest is Actors {
    bytes32 private _jobA;

    function setUp() public {
        _createWorld();
        Bid memory bid = _bid(buyers[0], _who(settlers[0]), 100 * P, uint40(VM.getBlockTimestamp()) + 1_000, 1);
        _jobA = _job(bid, buyers[0], _who(settlers[0]));
        _pass(1);
    }

    function _postOne(uint256 settler, uint32 device, bool wrong) private returns (uint64) {
        Leaf[] memory leaves = new Leaf[](1);
        leaves[0] = _leaf(Order(_jobA, device, 3, wrong, uint40(VM.getBlockTimestamp()) + 1_000), 0, 0);
        Entry[] memory entries = new Entry[](1);
        entries[0] = _entry(leaves);
        return _post(settler, entries, leaves);
    }

    function _attest(uint64 epochId, uint256 opinion) private {
        _seed(epochId);
        for (uint256 i; i < verifiers.length; ++i) if (_seated(i)) _commit(epochId, verifiers[i], opinion);
        for (uint256 i; i < verifiers.length; ++i) if (_seated(i)) _reveal(epochId, verifiers[i]);
    }

    function _seated(uint256 i) private view returns (bool) {
        return seats.verifierOf(_who(verifiers[i])).seats != 0;
    }

    function _panelVotes(bytes32 game, uint8 vote) private {
        VM.roll(VM.getBlockNumber() + 4);
        bool[] memory voted = new bool[](verifiers.length);
        for (uint256 i; i < verifiers.length; ++i) voted[i] = _vote(game, verifiers[i], vote);
        for (uint256 i; i < verifiers.length; ++i) {
            if (!voted[i]) continue;
            _as(_who(verifiers[i]), address(panel), abi.encodeCall(panel.revealVote, (game, bytes32(verifiers[i]), vote)));
        }
    }

    function _claim(uint64 epochId) private {
        ledger.claim(epochId, _head(epochId), 0, bidOf[_jobA], _claimOf(epochId, leavesOf[epochId]), _verdicts(epochId));
    }

    /// @dev The way that everything else leaves from: it must work, or the attacks below prove nothing.
    function test_claim_of_an_attested_leaf_pays_its_owner() public {
        uint256 before = escrow.balanceOf(_who(owners[0]));
        uint64 epochId = _postOne(settlers[0], 0, false);
        _attest(epochId, 0);
        _pass(61);
        _claim(epochId);
        assert(escrow.balanceOf(_who(owners[0])) > before);
        assert(seats.settlerOf(_who(settlers[0])).locked == 0);
    }

    // --- a zero commitment

    function test_commit_of_zero_reverts() public {
        uint64 epochId = _postOne(settlers[0], 0, false);
        _seed(epochId);
        VM.expectPartialRevert(IAttestations.Attestations_CommitmentZero.selector);
        VM.prank(_who(verifiers[0]));
        attestations.commit(epochId, 0);
        assert(attestations.clockOf(epochId).committed == 0);
    }

    function test_vote_of_zero_reverts() public {
        bytes32 game = _openGame(3);
        VM.roll(VM.getBlockNumber() + 4);
        address drawn = panel.panelSeats(game)[0];
        VM.expectPartialRevert(Ballot.Ballot_CommitmentZero.selector);
        VM.prank(drawn);
        panel.commitVote(game, 0);
        assert(panel.stateOf(game) == GameState.Drawing);
    }

    function _openGame(uint256 opinion) private returns (bytes32) {
        uint64 epochId = _postOne(settlers[0], 0, true);
        _attest(epochId, opinion);
        assert(attestations.stateOf(epochId) == EpochState.Window);
        return _challenge(epochId, leavesOf[epochId][0], 0, STRANGER, CHALLENGE_BOND);
    }

    // --- stake that nothing can take

    function test_stake_below_the_minimum_lowers_no_rate() public {
        uint256 number = VM.getBlockNumber();
        _pass(1);
        assert(vault.deviceOf(_who(devices[2])).stake == 9 * P);
        assert(vault.stakeAt(_who(devices[2]), number) == 0);
        assert(vault.stakeAt(_who(devices[1]), number) == 100 * P);
    }

    // --- the buyer that cancels and posts nonsense

    function test_buyers_own_settler_cannot_block_the_grace_of_a_cancelled_job() public {
        _pass(GRACE + 1);
        _as(_who(buyers[0]), address(escrow), abi.encodeCall(escrow.cancelJob, (_jobA)));
        Entry[] memory entries = new Entry[](1);
        entries[0] = Entry(_jobA, bytes32("nonsense"), 1, 100 * P);
        VM.expectPartialRevert(IJobEscrow.JobEscrow_MayNotPost.selector);
        VM.prank(_who(settlers[1]));
        ledger.postEpoch(entries, bytes32("nothing"));
        uint64 epochId = _postOne(settlers[0], 0, false);
        _attest(epochId, 0);
        _pass(61);
        _claim(epochId);
    }

    // --- appeals

    /// @dev With 4 of 6 needed and 4 seats left beside the opener's, the appeal of a convicted device could only hang.
    function test_appeal_with_too_few_seats_reverts() public {
        _as(_who(verifiers[0]), address(seats), abi.encodeCall(seats.leave, (3)));
        _as(_who(verifiers[1]), address(seats), abi.encodeCall(seats.leave, (1)));
        _pass(301);
        bytes32 game = _openGame(3);
        _panelVotes(game, 2);
        assert(panel.stateOf(game) == GameState.Decided);
        VM.expectPartialRevert(IPanel.Panel_TooFewSeats.selector);
        VM.prank(_who(owners[0]));
        panel.appeal{value: 2 * CHALLENGE_BOND}(game);
        _pass(31);
        panel.resolve(game);
        assert(vault.deviceOf(_who(devices[0])).convicted);
    }

    /// @dev Of the seats that called a lie right, those that had to replay it lose a seat each, once; nobody else does.
    function test_seats_that_attest_a_lie_are_slashed_once() public {
        Bid memory bid = _bid(buyers[0], _who(settlers[0]), 100 * P, uint40(VM.getBlockTimestamp()) + 1_000, 2);
        _jobA = _job(bid, buyers[0], _who(settlers[0])); // every task is replayed
        bytes32 game = _openGame(1);
        _panelVotes(game, 2);
        _pass(31);
        panel.resolve(game);
        Leaf memory leaf = leavesOf[games[0].epochId][0];
        address[] memory drawn = attestations.drawnSeats(games[0].epochId, leaf.leafHash, _who(owners[0]));
        for (uint256 i; i < verifiers.length; ++i) {
            address who = _who(verifiers[i]);
            bool guilty = drawn[0] == who || (drawn.length == 2 && drawn[1] == who);
            uint32 before = seats.verifierOf(who).seats;
            assert(this.slash(who) == guilty);
            assert(!this.slash(who));
            assert(before - seats.verifierOf(who).seats == (guilty ? 1 : 0));
        }
    }

    function slash(address verifier) external returns (bool) {
        try this.slashOrRevert(verifier) {
            return true;
        } catch {
            return false;
        }
    }

    function slashOrRevert(address verifier) external {
        _slashAttestor(games[0], verifier);
    }

    /// @dev A cheat that convicts itself gets back a quarter at most.
    function test_conviction_of_oneself_costs_three_quarters() public {
        uint256 supply = token.totalSupply();
        bytes32 game = _openGame(4);
        _panelVotes(game, 2);
        _pass(31);
        panel.resolve(game);
        assert(supply - token.totalSupply() == 225 * P);
    }
}
