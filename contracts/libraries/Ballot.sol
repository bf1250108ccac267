// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {ISeats} from "../interfaces/ISeats.sol";
import {Draw} from "./Draw.sol";

/// @notice A vote by commit and reveal of seats that the beacon draws after the ballot was opened (docs/protocol.md
/// sections 6 and 7).
/// @dev Used by the redraws of Attestations and by Panel. The first commitment draws the seats and starts the clocks; a
/// ballot that nobody drew within the timeout has ended without a vote. A phase ends early when every drawn verifier
/// has acted.
library Ballot {
    uint8 internal constant RIGHT = 1;
    uint8 internal constant WRONG = 2;
    uint8 internal constant UNAVAILABLE = 3;

    enum Phase {
        None,
        Drawing,
        Committing,
        Revealing,
        Ended
    }

    /// @notice Where the draw comes from, and the clocks in seconds.
    struct Rules {
        IBeacon beacon;
        ISeats seats;
        uint40 drawTime;
        uint40 commitTime;
        uint40 revealTime;
    }

    struct Box {
        uint64 beaconRound;
        uint32 snapshot;
        uint40 openedAt;
        uint40 drawnAt; // 0 while not
        uint40 commitEndedAt; // when the last drawn verifier committed; 0 while not
        uint40 revealEndedAt; // when the last committed verifier revealed; 0 while not
        uint8 wanted; // seats
        uint8 needed; // equal votes that decide
        uint8 committed; // verifiers
        uint8 revealed; // verifiers
        address excluded; // neither verifies nor owns a drawn seat
        address[] seats; // verifiers of the drawn seats
        mapping(address verifier => bytes32) commitments;
        mapping(address verifier => uint8) votes;
    }

    /// @notice Thrown when a ballot is not in the phase that the call needs.
    error Ballot_WrongPhase(Phase got, Phase needed);
    /// @notice Thrown when the beacon has nothing (or nothing any more) for the ballot's round.
    error Ballot_NoRandomness(uint64 round);
    /// @notice Thrown when a verifier without a drawn seat acts.
    error Ballot_NotDrawn(address verifier);
    /// @notice Thrown when a commitment is zero.
    error Ballot_CommitmentZero(address verifier);
    /// @notice Thrown on a second commitment or a second reveal.
    error Ballot_AlreadyActed(address verifier);
    /// @notice Thrown when a reveal does not open the stored commitment.
    error Ballot_CommitmentMismatch(address verifier);
    /// @notice Thrown when a vote is not 1, 2 or 3.
    error Ballot_VoteUnknown(uint8 vote);

    /// @notice Opens a ballot: its seats come from a round that nobody knows yet.
    function open(Box storage box, Rules memory rules, uint8 wanted, uint8 needed, address excluded) internal {
        box.beaconRound = rules.beacon.nextRound();
        box.snapshot = rules.seats.snapshot();
        box.openedAt = uint40(block.timestamp); // seconds fit in 40 bits for 34,000 years
        box.wanted = wanted;
        box.needed = needed;
        box.excluded = excluded;
    }

    function commit(Box storage box, Rules memory rules, bytes32 subject, bytes32 commitment) internal {
        Phase at = phase(box, rules);
        if (at == Phase.Drawing) {
            box.seats = drawn(box, rules, subject);
            box.drawnAt = uint40(block.timestamp);
        } else if (at != Phase.Committing) {
            revert Ballot_WrongPhase(at, Phase.Committing);
        }
        address[] memory seats = box.seats;
        // INVARIANT: only verifiers whose seats the beacon drew vote.
        if (!_holds(seats, msg.sender, seats.length)) revert Ballot_NotDrawn(msg.sender);
        // INVARIANT: a verifier commits once (zero would not count as done), so nobody ends the phase for the others.
        if (commitment == 0) revert Ballot_CommitmentZero(msg.sender);
        if (box.commitments[msg.sender] != 0) revert Ballot_AlreadyActed(msg.sender);
        box.commitments[msg.sender] = commitment;
        if (++box.committed == _distinct(seats)) box.commitEndedAt = uint40(block.timestamp);
    }

    function reveal(Box storage box, Rules memory rules, bytes32 subject, bytes32 salt, uint8 vote) internal {
        Phase at = phase(box, rules);
        if (at != Phase.Revealing) revert Ballot_WrongPhase(at, Phase.Revealing);
        if (vote == 0 || vote > UNAVAILABLE) revert Ballot_VoteUnknown(vote);
        if (box.votes[msg.sender] != 0) revert Ballot_AlreadyActed(msg.sender);
        // INVARIANT: a commitment names its verifier and its ballot, so nobody else's can be opened.
        bytes32 commitment = keccak256(abi.encode(salt, msg.sender, subject, vote));
        if (box.commitments[msg.sender] != commitment) revert Ballot_CommitmentMismatch(msg.sender);
        box.votes[msg.sender] = vote;
        if (++box.revealed == box.committed) box.revealEndedAt = uint40(block.timestamp);
    }

    /// @notice Verifiers of the drawn seats, one for each seat; reverts while the randomness is not there.
    function drawn(Box storage box, Rules memory rules, bytes32 subject) internal view returns (address[] memory) {
        if (box.drawnAt != 0) return box.seats;
        bytes32 randomness = rules.beacon.randomness(box.beaconRound);
        if (randomness == 0) revert Ballot_NoRandomness(box.beaconRound);
        return Draw.ballotSeats(
            rules.seats.seatsIn(box.snapshot),
            Draw.ballotSeed(randomness, subject),
            subject,
            box.wanted,
            box.excluded
        );
    }

    function phase(Box storage box, Rules memory rules) internal view returns (Phase) {
        if (box.openedAt == 0) return Phase.None;
        if (block.timestamp >= endsAt(box, rules)) return Phase.Ended;
        if (box.drawnAt == 0) return Phase.Drawing;
        return block.timestamp < _commitEnd(box, rules) ? Phase.Committing : Phase.Revealing;
    }

    /// @notice When the ballot ends or has ended, as far as is known now.
    function endsAt(Box storage box, Rules memory rules) internal view returns (uint256) {
        if (box.drawnAt == 0) return uint256(box.openedAt) + rules.drawTime;
        if (box.revealEndedAt != 0) return box.revealEndedAt;
        return _commitEnd(box, rules) + rules.revealTime;
    }

    /// @notice The vote that enough seats agreed on, zero for a hung ballot.
    function outcome(Box storage box) internal view returns (uint8) {
        address[] memory seats = box.seats;
        uint8[4] memory count;
        for (uint256 i; i < seats.length; ++i) ++count[box.votes[seats[i]]];
        for (uint8 vote = RIGHT; vote <= UNAVAILABLE; ++vote) {
            if (count[vote] >= box.needed) return vote;
        }
        return 0;
    }

    /// @notice Verifiers that voted so, one for each seat, in drawing order.
    function votersFor(Box storage box, uint8 vote) internal view returns (address[] memory voters) {
        address[] memory seats = box.seats;
        uint256 found;
        voters = new address[](seats.length);
        for (uint256 i; i < seats.length; ++i) {
            if (box.votes[seats[i]] == vote) voters[found++] = seats[i];
        }
        // Writes a length that is at most the allocated one.
        assembly ("memory-safe") {
            mstore(voters, found)
        }
    }

    function _commitEnd(Box storage box, Rules memory rules) private view returns (uint256) {
        return box.commitEndedAt != 0 ? box.commitEndedAt : uint256(box.drawnAt) + rules.commitTime;
    }

    function _distinct(address[] memory seats) private pure returns (uint256 verifiers) {
        for (uint256 i; i < seats.length; ++i) {
            if (!_holds(seats, seats[i], i)) ++verifiers;
        }
    }

    /// @dev True when `verifier` is among the first `length` seats.
    function _holds(address[] memory seats, address verifier, uint256 length) private pure returns (bool) {
        for (uint256 i; i < length; ++i) {
            if (seats[i] == verifier) return true;
        }
        return false;
    }
}
