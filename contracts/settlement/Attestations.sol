// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    BallotOutcome,
    EpochClock,
    EpochState,
    IAttestations,
    LeafQuery,
    SeatVerdict
} from "../interfaces/IAttestations.sol";
import {IBeacon} from "../interfaces/IBeacon.sol";
import {IEpochLedger, LeafRef} from "../interfaces/IEpochLedger.sol";
import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {ISeats, Seat} from "../interfaces/ISeats.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {Receipt} from "../interfaces/IMessages.sol";
import {Ballot} from "../libraries/Ballot.sol";
import {Draw} from "../libraries/Draw.sol";
import {Money} from "../libraries/Money.sol";
import {Purse} from "../libraries/Purse.sol";
import {Verdicts} from "../libraries/Verdicts.sol";

/// @notice The contracts that Attestations works with; some are deployed after it.
struct AttestationLinks {
    IEpochLedger ledger;
    IJobEscrow escrow;
    ISeats seats;
    IStakeVault vault;
    IBeacon beacon;
}

/// @notice Clocks of an epoch and of a redraw, seconds.
struct AttestationClocks {
    uint40 seedTimeout; // from the posting, or a redraw's opening, to the draw
    uint40 commit;
    uint40 reveal;
    uint40 window;
}

/// @title The verdicts on an epoch's leaves
contract Attestations is IAttestations {
    using Ballot for Ballot.Box;
    using Purse for Purse.List;

    uint8 private constant REDRAW_SEATS = 3;
    uint8 private constant REDRAW_MAJORITY = 2;
    uint8 private constant LAST_REDRAW = 2;

    /// @dev A leaf's redraw, by `_leafKey`.
    struct Redraw {
        uint8 round;
        BallotOutcome outcome;
    }

    /// @dev An epoch with its seed and the seats of its snapshot.
    struct Drawn {
        uint64 id;
        bytes32 seed;
        bool redrawn;
        Seat[] seats;
    }

    struct Said {
        address verifier;
        uint256 verdicts;
    }

    IEpochLedger public immutable ledger;
    IJobEscrow public immutable escrow;
    ISeats public immutable seats;
    IStakeVault public immutable vault;
    IBeacon public immutable beacon;

    uint40 public immutable seedTimeout;
    uint40 public immutable commitTime;
    uint40 public immutable revealTime;
    uint40 public immutable windowTime;

    mapping(uint64 epochId => EpochClock) private _clocks;
    /// @inheritdoc IAttestations
    mapping(uint64 epochId => bytes32) public seedOf;
    /// @dev A commitment, then in its place the revealed verdict: Verdicts.closed and Verdicts.stored, told apart by the last bit.
    mapping(uint64 epochId => mapping(address verifier => bytes32)) private _records;
    mapping(bytes32 leafKey => Redraw) private _redraws;
    mapping(bytes32 subject => Ballot.Box) private _ballots;

    constructor(AttestationLinks memory links, AttestationClocks memory clocks) {
        if (clocks.seedTimeout == 0 || clocks.commit == 0 || clocks.reveal == 0 || clocks.window == 0) {
            revert Attestations_ClockZero();
        }
        ledger = links.ledger;
        escrow = links.escrow;
        seats = links.seats;
        vault = links.vault;
        beacon = links.beacon;
        seedTimeout = clocks.seedTimeout;
        commitTime = clocks.commit;
        revealTime = clocks.reveal;
        windowTime = clocks.window;
    }

    // --- epochs

    /// @inheritdoc IAttestations
    function open(uint64 epochId, uint32 snapshot) external {
        // Check
        _onlyLedger();

        // Effect
        uint64 round = beacon.nextRound();
        EpochClock storage clock = _clocks[epochId];
        clock.round = round;
        clock.snapshot = snapshot;
        clock.postedAt = uint40(block.timestamp); // seconds fit in 40 bits for 34,000 years
        emit EpochOpened(epochId, round, snapshot);
    }

    /// @inheritdoc IAttestations
    function drawSeed(uint64 epochId) public {
        // Check
        // INVARIANT: an epoch has one seed, from the round fixed by its posting.
        _inState(epochId, EpochState.Posted);
        EpochClock storage clock = _clocks[epochId];
        bytes32 randomness = beacon.randomness(clock.round);
        if (randomness == 0) revert Attestations_SeedMissing(clock.round);

        // Effect
        bytes32 seed = Draw.epochSeed(randomness, epochId);
        seedOf[epochId] = seed;
        clock.seededAt = uint40(block.timestamp);
        emit Seeded(epochId, seed);
    }

    /// @inheritdoc IAttestations
    function commit(uint64 epochId, bytes32 commitment) external {
        // Check
        EpochState state = stateOf(epochId);
        if (state == EpochState.Posted) drawSeed(epochId);
        else if (state != EpochState.Seeded) _inState(epochId, EpochState.Committing);
        EpochClock storage clock = _clocks[epochId];
        // INVARIANT: only seats of the epoch's snapshot attest it.
        if (seats.seatsOf(clock.snapshot, msg.sender) == 0) revert Attestations_NoSeat(msg.sender);
        // INVARIANT: a verifier commits once (zero would not count as done), so nobody ends the phase for the others.
        bytes32 record = Verdicts.closed(commitment);
        if (record == 0) revert Attestations_CommitmentZero(msg.sender);
        if (_records[epochId][msg.sender] != 0) revert Attestations_AlreadyActed(msg.sender);

        // Effect
        _records[epochId][msg.sender] = record;
        if (++clock.committed == seats.verifierCount(clock.snapshot)) clock.endedAt = uint40(block.timestamp);
        emit Committed(epochId, msg.sender);
    }

    /// @inheritdoc IAttestations
    function reveal(uint64 epochId, bytes32 salt, uint256 verdicts, bytes32[] calldata digests) external {
        // Check
        _inState(epochId, EpochState.Revealing);
        bytes32 record = _records[epochId][msg.sender];
        if (Verdicts.isOpen(record)) revert Attestations_AlreadyActed(msg.sender);
        bytes32 digestsHash = Verdicts.digestsHash(digests);
        // INVARIANT: a commitment names its verifier and its epoch, so a copied one can't be opened.
        bytes32 commitment = Verdicts.commitment(salt, msg.sender, epochId, verdicts, digestsHash);
        if (record != Verdicts.closed(commitment)) revert Attestations_CommitmentMismatch(msg.sender);
        uint256 needed = Verdicts.count(verdicts);
        if (digests.length != needed) revert Attestations_DigestCount(digests.length, needed);

        // Effect
        EpochClock storage clock = _clocks[epochId];
        _records[epochId][msg.sender] = Verdicts.stored(verdicts, digestsHash);
        if (++clock.revealed == clock.committed) clock.endedAt = uint40(block.timestamp);
        emit Revealed(epochId, msg.sender, verdicts, digests);
    }

    // --- redraws

    /// @inheritdoc IAttestations
    function redraw(LeafRef calldata leaf, SeatVerdict[] calldata verdicts) external {
        // Check
        if (stateOf(leaf.epochId) != EpochState.Final) _inState(leaf.epochId, EpochState.Window);
        (bytes32 leafHash, uint32 leafNumber, bool settled) = ledger.verifyLeaf(leaf);
        if (settled) revert Attestations_LeafSettled(leafNumber);
        address owner = vault.deviceOf(leaf.receipt.device).owner;
        if (_redraws[_leafKey(leaf.epochId, leafHash)].round != 0) revert Attestations_AlreadyRedrawn(leafHash);
        _checkVerdicts(leaf.epochId, verdicts);
        LeafQuery memory query = LeafQuery(leafHash, leafNumber, owner, 0);
        (bool attested,) = _firstSeats(_seeded(leaf.epochId), query, _said(verdicts), verdicts);
        if (attested) revert Attestations_LeafAttested(leafNumber);

        // Effect
        _clocks[leaf.epochId].redrawn = true;
        _openRedraw(leaf.epochId, leafHash, leafNumber, 1, owner);
    }

    /// @inheritdoc IAttestations
    function commitBallot(bytes32 subject, bytes32 commitment) external {
        _ballots[subject].commit(_rules(), subject, commitment);
        emit BallotCommitted(subject, msg.sender);
    }

    /// @inheritdoc IAttestations
    function revealBallot(bytes32 subject, bytes32 salt, uint8 vote) external {
        _ballots[subject].reveal(_rules(), subject, salt, vote);
        emit BallotRevealed(subject, msg.sender, vote);
    }

    /// @inheritdoc IAttestations
    function settleRedraw(LeafRef calldata leaf) external {
        // Check
        (bytes32 leafHash, uint32 leafNumber, bool settled) = ledger.verifyLeaf(leaf);
        Redraw storage current = _redraws[_leafKey(leaf.epochId, leafHash)];
        if (current.round == 0) revert Attestations_NoRedraw(leafHash);
        bytes32 subject = _subject(leaf.epochId, leafHash, current.round);
        Ballot.Box storage box = _ballots[subject];
        if (box.phase(_rules()) != Ballot.Phase.Ended) revert Attestations_RedrawPending(subject);
        bool first = current.outcome == BallotOutcome.Pending;
        // A second call can only void another leaf with the same receipt.
        if (!first && (settled || current.outcome == BallotOutcome.Right)) revert Attestations_AlreadyRedrawn(leafHash);

        // Effect
        if (first && !_decide(current, leaf.epochId, leafHash, leafNumber, subject)) return;
        if (current.outcome == BallotOutcome.Right) return;

        // Interaction
        if (!settled) ledger.voidLeaf(leaf);
        if (first && current.outcome == BallotOutcome.Wrong) {
            seats.payFromBond(leaf.head.settler, box.votersFor(Ballot.WRONG), _replayPay(leaf));
        }
    }

    // --- views

    /// @inheritdoc IAttestations
    function stateOf(uint64 epochId) public view returns (EpochState) {
        EpochClock storage clock = _clocks[epochId];
        if (clock.postedAt == 0) return EpochState.None;
        if (clock.seededAt == 0) {
            bool late = block.timestamp > uint256(clock.postedAt) + seedTimeout;
            return late ? EpochState.Void : EpochState.Posted;
        }
        if (block.timestamp < _commitEnd(clock)) {
            return clock.committed == 0 ? EpochState.Seeded : EpochState.Committing;
        }
        if (block.timestamp < _revealEnd(clock)) return EpochState.Revealing;
        return block.timestamp < _revealEnd(clock) + windowTime ? EpochState.Window : EpochState.Final;
    }

    /// @inheritdoc IAttestations
    function clockOf(uint64 epochId) external view returns (EpochClock memory) {
        return _clocks[epochId];
    }

    /// @inheritdoc IAttestations
    function verdictHash(uint64 epochId, address verifier) public view returns (bytes32) {
        bytes32 record = _records[epochId][verifier];
        return Verdicts.isOpen(record) ? record : bytes32(0);
    }

    /// @inheritdoc IAttestations
    function finalAt(uint64 epochId) external view returns (uint40) {
        if (stateOf(epochId) != EpochState.Final) _inState(epochId, EpochState.Window);
        return uint40(_revealEnd(_clocks[epochId]) + windowTime); // clocks are 40 bits, and so is now
    }

    /// @inheritdoc IAttestations
    function verdictOf(uint64 epochId, uint32 leafNumber, SeatVerdict calldata verdict)
        external
        view
        returns (uint8, bytes32)
    {
        _checkVerdict(epochId, verdict);
        return Verdicts.at(verdict, leafNumber);
    }

    /// @inheritdoc IAttestations
    function sharesOf(uint64 epochId, LeafQuery[] calldata leaves, SeatVerdict[] calldata verdicts)
        external
        view
        returns (address[] memory accounts, uint128[] memory amounts)
    {
        _checkVerdicts(epochId, verdicts);
        Drawn memory epoch = _seeded(epochId);
        Said[] memory said = _said(verdicts);
        Purse.List memory shares = Purse.withRoom(REDRAW_SEATS * leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            LeafQuery memory leaf = leaves[i];
            shares.addShares(_attestorsOf(epoch, leaf, said, verdicts), leaf.pay);
        }
        return (shares.accounts, shares.amounts);
    }

    /// @inheritdoc IAttestations
    function drawnSeats(uint64 epochId, bytes32 leafHash, address deviceOwner) external view returns (address[] memory) {
        Drawn memory epoch = _seeded(epochId);
        return Draw.leafSeats(epoch.seats, epoch.seed, leafHash, deviceOwner);
    }

    /// @inheritdoc IAttestations
    function redrawOf(uint64 epochId, bytes32 leafHash)
        external
        view
        returns (uint8 round, bytes32 subject, BallotOutcome outcome)
    {
        Redraw memory current = _redraws[_leafKey(epochId, leafHash)];
        if (current.round != 0) subject = _subject(epochId, leafHash, current.round);
        return (current.round, subject, current.outcome);
    }

    /// @inheritdoc IAttestations
    function ballotSeats(bytes32 subject) external view returns (address[] memory) {
        return _ballots[subject].drawn(_rules(), subject);
    }

    /// @inheritdoc IAttestations
    function ballotPhase(bytes32 subject) external view returns (Ballot.Phase) {
        return _ballots[subject].phase(_rules());
    }

    // --- inside

    function _openRedraw(uint64 epochId, bytes32 leafHash, uint32 leafNumber, uint8 round, address owner) private {
        _redraws[_leafKey(epochId, leafHash)].round = round;
        bytes32 subject = _subject(epochId, leafHash, round);
        Ballot.Box storage box = _ballots[subject];
        box.open(_rules(), REDRAW_SEATS, REDRAW_MAJORITY, owner);
        emit RedrawOpened(epochId, leafHash, subject, round, box.beaconRound, leafNumber);
    }

    /// @dev Records what a redraw's ballot decided; false when a second redraw was opened instead.
    function _decide(Redraw storage current, uint64 epochId, bytes32 leafHash, uint32 leafNumber, bytes32 subject)
        private
        returns (bool)
    {
        uint8 vote = _ballots[subject].outcome();
        // Votes and outcomes are numbered alike: 1 right, 2 wrong, 3 unavailable.
        BallotOutcome outcome = vote == 0 ? BallotOutcome.Hung : BallotOutcome(vote);
        emit RedrawSettled(epochId, leafHash, subject, outcome);
        if (outcome == BallotOutcome.Hung && current.round < LAST_REDRAW) {
            _openRedraw(epochId, leafHash, leafNumber, current.round + 1, _ballots[subject].excluded);
            return false;
        }
        current.outcome = outcome;
        return true;
    }

    /// @dev The seats to pay for a leaf. Every verdict given matches its stored hash already.
    function _attestorsOf(
        Drawn memory epoch,
        LeafQuery memory leaf,
        Said[] memory said,
        SeatVerdict[] calldata verdicts
    ) private view returns (address[] memory drawn) {
        Redraw memory current; // most epochs have none, and then there is nothing to look for
        if (epoch.redrawn) current = _redraws[_leafKey(epoch.id, leaf.leafHash)];
        // INVARIANT: a leaf is paid only when every drawn seat, or the majority of a redraw, found it right.
        if (current.round != 0) {
            if (current.outcome != BallotOutcome.Right) revert Attestations_LeafNotAttested(leaf.leafNumber);
            return _ballots[_subject(epoch.id, leaf.leafHash, current.round)].votersFor(Ballot.RIGHT);
        }
        bool attested;
        (attested, drawn) = _firstSeats(epoch, leaf, said, verdicts);
        if (!attested) revert Attestations_LeafNotAttested(leaf.leafNumber);
    }

    /// @dev Whether all seats drawn for the leaf said "right", with equal digests.
    function _firstSeats(
        Drawn memory epoch,
        LeafQuery memory leaf,
        Said[] memory said,
        SeatVerdict[] calldata verdicts
    ) private view returns (bool attested, address[] memory drawn) {
        drawn = Draw.leafSeats(epoch.seats, epoch.seed, leaf.leafHash, leaf.deviceOwner);
        attested = drawn.length != 0;
        bytes32 agreed;
        for (uint256 i; i < drawn.length; ++i) {
            uint256 place = _placeOf(drawn[i], said);
            if (place == said.length) {
                if (verdictHash(epoch.id, drawn[i]) != 0) revert Attestations_VerdictMissing(drawn[i]);
                attested = false;
            } else if (drawn.length == 1) {
                attested = Verdicts.valueOf(said[place].verdicts, leaf.leafNumber) == Verdicts.RIGHT;
            } else {
                (uint8 value, bytes32 digest) = Verdicts.at(verdicts[place], leaf.leafNumber);
                if (i == 0) agreed = digest;
                if (value != Verdicts.RIGHT || digest != agreed) attested = false;
            }
        }
    }

    /// @dev Where the verifier's verdict is in the list; the list's length where it is not.
    function _placeOf(address verifier, Said[] memory said) private pure returns (uint256 place) {
        while (place < said.length && said[place].verifier != verifier) ++place;
    }

    /// @dev The verdicts without their digests, which only leaves with two seats need.
    function _said(SeatVerdict[] calldata verdicts) private pure returns (Said[] memory said) {
        said = new Said[](verdicts.length);
        for (uint256 i; i < verdicts.length; ++i) {
            (said[i].verifier, said[i].verdicts) = (verdicts[i].verifier, verdicts[i].verdicts);
        }
    }

    function _checkVerdicts(uint64 epochId, SeatVerdict[] calldata verdicts) private view {
        for (uint256 i; i < verdicts.length; ++i) _checkVerdict(epochId, verdicts[i]);
    }

    function _checkVerdict(uint64 epochId, SeatVerdict calldata verdict) private view {
        bytes32 got = Verdicts.stored(verdict.verdicts, Verdicts.digestsHash(verdict.digests));
        if (verdictHash(epochId, verdict.verifier) != got) revert Attestations_VerdictMismatch(verdict.verifier);
    }

    /// @dev What the leaf would have paid its seats. The receipt may be nonsense: then its poster pays for that.
    function _replayPay(LeafRef calldata leaf) private view returns (uint128) {
        Receipt calldata receipt = leaf.receipt;
        uint128 amount = receipt.amount < type(uint96).max ? receipt.amount : type(uint96).max;
        uint24 rule = uint24(Draw.PPM);
        if (receipt.totalWU != 0) {
            uint128 stake = vault.stakeAt(receipt.device, leaf.head.postBlock);
            rule = Draw.ruleUp(amount, receipt.totalWU, receipt.totalSquaredWU, stake);
        }
        uint128 byRule = Money.deductionDown(amount, rule);
        // What the posted debit holds above amount and fee is the floor's share; at most half of the amount.
        uint256 taken = uint256(amount) + Money.feeDown(amount, escrow.jobOf(receipt.jobId).feePpm);
        uint256 byFloor = leaf.debit > taken ? leaf.debit - taken : 0;
        if (byFloor > amount / 2) byFloor = amount / 2;
        return byRule > byFloor ? byRule : uint128(byFloor); // at most amount / 2
    }

    function _seeded(uint64 epochId) private view returns (Drawn memory) {
        EpochClock storage clock = _clocks[epochId];
        if (clock.seededAt == 0) revert Attestations_SeedMissing(clock.round);
        return Drawn(epochId, seedOf[epochId], clock.redrawn, seats.seatsIn(clock.snapshot));
    }

    function _rules() private view returns (Ballot.Rules memory) {
        return Ballot.Rules(beacon, seats, seedTimeout, commitTime, revealTime);
    }

    /// @dev Past the last reveal this is when that was, so long ago all the same.
    function _commitEnd(EpochClock storage clock) private view returns (uint256) {
        return clock.endedAt != 0 ? clock.endedAt : uint256(clock.seededAt) + commitTime;
    }

    function _revealEnd(EpochClock storage clock) private view returns (uint256) {
        bool early = clock.revealed != 0 && clock.revealed == clock.committed;
        return early ? clock.endedAt : _commitEnd(clock) + revealTime;
    }

    function _inState(uint64 epochId, EpochState needed) private view {
        EpochState got = stateOf(epochId);
        if (got != needed) revert Attestations_WrongState(got, needed);
    }

    function _onlyLedger() private view {
        if (msg.sender != address(ledger)) revert Attestations_OnlyLedger(msg.sender);
    }

    function _leafKey(uint64 epochId, bytes32 leafHash) private pure returns (bytes32) {
        return keccak256(abi.encode(epochId, leafHash));
    }

    function _subject(uint64 epochId, bytes32 leafHash, uint8 round) private pure returns (bytes32) {
        return keccak256(abi.encode(epochId, leafHash, round));
    }
}
