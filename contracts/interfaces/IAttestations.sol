// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LeafRef} from "./IEpochLedger.sol";
import {Ballot} from "../libraries/Ballot.sol";

enum EpochState {
    None,
    Posted,
    Seeded, // committing, and nobody has committed yet
    Committing,
    Revealing,
    Window,
    Final,
    Void
}

/// @dev One slot.
struct EpochClock {
    uint64 round; // the beacon's
    uint32 snapshot;
    uint16 committed; // verifiers, of 1,024 at most
    uint16 revealed; // verifiers
    uint40 postedAt;
    uint40 seededAt;
    uint40 endedAt; // when the last verifier of the snapshot committed, then when the last committed one revealed; 0 while neither
    bool redrawn; // a redraw of any leaf was opened
}

/// @notice A verifier's revealed verdict, checked against the stored hash (docs/protocol.md section 7).
struct SeatVerdict {
    address verifier;
    uint256 verdicts;
    bytes32[] digests;
}

/// @notice What a claim asks of one leaf.
struct LeafQuery {
    bytes32 leafHash;
    uint32 leafNumber;
    address deviceOwner;
    uint128 pay; // what its seats share, token wei
}

enum BallotOutcome {
    Pending,
    Right,
    Wrong,
    Unavailable,
    Hung
}

/// @notice Seeds, commits, reveals and redraws: the verdicts on an epoch's leaves.
interface IAttestations {
    /// @notice Thrown when a clock is zero.
    error Attestations_ClockZero();
    /// @notice Thrown when the caller is not EpochLedger.
    error Attestations_OnlyLedger(address caller);
    /// @notice Thrown when the epoch is not in the state that the call needs.
    error Attestations_WrongState(EpochState got, EpochState needed);
    /// @notice Thrown when the beacon has nothing (or nothing any more) for the epoch's round.
    error Attestations_SeedMissing(uint64 round);
    /// @notice Thrown when a verifier without a seat in the epoch's snapshot commits.
    error Attestations_NoSeat(address verifier);
    /// @notice Thrown when a commitment is zero.
    error Attestations_CommitmentZero(address verifier);
    /// @notice Thrown on a second commitment or a second reveal.
    error Attestations_AlreadyActed(address verifier);
    /// @notice Thrown when a reveal does not open the stored commitment.
    error Attestations_CommitmentMismatch(address verifier);
    /// @notice Thrown when there is not one digest for each leaf with a verdict.
    error Attestations_DigestCount(uint256 got, uint256 needed);
    /// @notice Thrown when a verdict is not the one that its verifier revealed.
    error Attestations_VerdictMismatch(address verifier);
    /// @notice Thrown when the verdict of a drawn verifier that revealed is left out.
    error Attestations_VerdictMissing(address verifier);
    /// @notice Thrown when a leaf is claimed that is not attested.
    error Attestations_LeafNotAttested(uint32 leafNumber);
    /// @notice Thrown when a redraw is asked for a leaf that its drawn seats attested.
    error Attestations_LeafAttested(uint32 leafNumber);
    /// @notice Thrown when a redraw is asked for a leaf that was claimed, voided or returned.
    error Attestations_LeafSettled(uint32 leafNumber);
    /// @notice Thrown when a leaf's redraw was opened (or settled) before.
    error Attestations_AlreadyRedrawn(bytes32 leafHash);
    /// @notice Thrown when a leaf has no redraw to settle.
    error Attestations_NoRedraw(bytes32 leafHash);
    /// @notice Thrown while a redraw's ballot goes on.
    error Attestations_RedrawPending(bytes32 subject);

    event EpochOpened(uint64 indexed epochId, uint64 round, uint32 snapshot);
    event Seeded(uint64 indexed epochId, bytes32 seed);
    event Committed(uint64 indexed epochId, address indexed verifier);
    event Revealed(uint64 indexed epochId, address indexed verifier, uint256 verdicts, bytes32[] digests);
    event RedrawOpened(uint64 indexed epochId, bytes32 indexed leafHash, bytes32 indexed subject, uint8 round, uint64 beaconRound, uint32 leafNumber);
    event BallotCommitted(bytes32 indexed subject, address indexed verifier);
    event BallotRevealed(bytes32 indexed subject, address indexed verifier, uint8 vote);
    event RedrawSettled(uint64 indexed epochId, bytes32 indexed leafHash, bytes32 indexed subject, BallotOutcome outcome);

    /// @notice Only EpochLedger: starts an epoch's clocks and fixes the beacon's round.
    function open(uint64 epochId, uint32 snapshot) external;

    /// @notice By anyone once the beacon's round is there (a first commit does it too), within the seed timeout: after it the
    /// epoch is void.
    function drawSeed(uint64 epochId) external;
    /// @notice By a verifier with seats in the epoch's snapshot, once. One with no drawn leaf commits too (so phases can end early).
    /// The first one draws the seed where nobody did. The last bit of a commitment does not count.
    function commit(uint64 epochId, bytes32 commitment) external;
    /// @notice Opens a commitment, once, after every verifier committed or the commit time passed.
    function reveal(uint64 epochId, bytes32 salt, uint256 verdicts, bytes32[] calldata digests) external;

    /// @notice By anyone after the reveal phase, for a leaf that is neither attested nor settled: draws three seats.
    /// @param verdicts of every verifier that was drawn for the leaf and revealed (others are ignored)
    function redraw(LeafRef calldata leaf, SeatVerdict[] calldata verdicts) external;
    /// @notice By a verifier with a drawn seat, once for all its seats; the first one draws the seats.
    function commitBallot(bytes32 subject, bytes32 commitment) external;
    /// @param vote 1 right, 2 wrong, 3 unavailable
    function revealBallot(bytes32 subject, bytes32 salt, uint8 vote) external;
    /// @notice Ends a redraw: right attests the leaf; wrong or unavailable voids it; hung opens the second redraw, then voids.
    /// @dev Seats that agreed on "wrong" share, from the poster's bond, what the leaf would have paid for its replay:
    /// floor(amount * max(rule, floor) / 2e6). Nobody is slashed. Called again for another leaf with the same receipt it
    /// voids that one too.
    function settleRedraw(LeafRef calldata leaf) external;

    /// @notice An epoch without a seed is Void as soon as the seed timeout has passed.
    function stateOf(uint64 epochId) external view returns (EpochState);
    function clockOf(uint64 epochId) external view returns (EpochClock memory);
    /// @notice The epoch's seed, zero while there is none.
    function seedOf(uint64 epochId) external view returns (bytes32);
    /// @notice Hash of a revealed verdict with its last bit 1, zero while none.
    function verdictHash(uint64 epochId, address verifier) external view returns (bytes32);
    /// @notice What a revealed verdict says of a leaf, and its digest (zero where there is none); reverts where it does not match.
    function verdictOf(uint64 epochId, uint32 leafNumber, SeatVerdict calldata verdict) external view returns (uint8, bytes32);
    /// @notice When the epoch becomes (became) final; reverts before the reveal phase is over.
    function finalAt(uint64 epochId) external view returns (uint40);
    /// @notice What the seats that attested the leaves get, by verifier; reverts where a leaf is not attested or a verdict does not match.
    function sharesOf(uint64 epochId, LeafQuery[] calldata leaves, SeatVerdict[] calldata verdicts)
        external
        view
        returns (address[] memory accounts, uint128[] memory amounts);
    /// @notice Seats (verifiers) drawn for a leaf in round 0.
    /// @dev Reads the whole snapshot.
    function drawnSeats(uint64 epochId, bytes32 leafHash, address deviceOwner) external view returns (address[] memory);
    /// @notice A leaf's redraw: round 0 while there is none, else 1 or 2, with its ballot and what was settled.
    function redrawOf(uint64 epochId, bytes32 leafHash) external view returns (uint8 round, bytes32 subject, BallotOutcome outcome);
    /// @notice Verifiers of the seats drawn for a ballot, one for each seat; reverts while its randomness is not there.
    function ballotSeats(bytes32 subject) external view returns (address[] memory);
    /// @notice Where a redraw's ballot stands.
    function ballotPhase(bytes32 subject) external view returns (Ballot.Phase);
}
