// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EpochState, IAttestations, SeatVerdict} from "../interfaces/IAttestations.sol";
import {IBeacon} from "../interfaces/IBeacon.sol";
import {GameState, IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {IEpochLedger, LeafRef} from "../interfaces/IEpochLedger.sol";
import {IJobEscrow} from "../interfaces/IJobEscrow.sol";
import {Bid, Receipt} from "../interfaces/IMessages.sol";
import {Game, IPanel, ResultProof} from "../interfaces/IPanel.sol";
import {ISeats, Seat} from "../interfaces/ISeats.sol";
import {Device, IStakeVault} from "../interfaces/IStakeVault.sol";
import {Ballot} from "../libraries/Ballot.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";
import {Messages} from "../libraries/Messages.sol";
import {Signature} from "../libraries/Signature.sol";
import {Verdicts} from "../libraries/Verdicts.sol";

/// @notice The contracts that Panel works with; some are deployed after it.
struct PanelLinks {
    IEpochLedger ledger;
    IAttestations attestations;
    IJobEscrow escrow;
    ISeats seats;
    IStakeVault vault;
    IBeacon beacon;
}

struct PanelTerms {
    uint40 drawTime; // seconds from the opening in which the panel must be drawn, else it hangs
    uint40 commit; // seconds
    uint40 reveal; // seconds
    uint40 appealTime; // seconds after the votes are counted, not below reveal
    uint128 challengeBond; // native coin, wei
}

/// @title The panel that decides challenges
contract Panel is IPanel {
    using Ballot for Ballot.Box;

    uint8 private constant SEATS = 3;
    uint8 private constant MAJORITY = 2;
    uint8 private constant APPEAL_SEATS = 6;
    uint8 private constant APPEAL_MAJORITY = 4;

    IEpochLedger public immutable ledger;
    IAttestations public immutable attestations;
    IJobEscrow public immutable escrow;
    ISeats public immutable seats;
    IStakeVault public immutable vault;
    IBeacon public immutable beacon;

    uint40 public immutable drawTime;
    uint40 public immutable commitTime;
    uint40 public immutable revealTime;
    uint40 public immutable appealTime;
    /// @inheritdoc IDisputeGame
    uint256 public immutable challengeBond;

    mapping(bytes32 gameId => Game) private _games;
    mapping(bytes32 gameId => GameState) private _outcomes;
    mapping(bytes32 gameId => address[]) private _winners;
    mapping(bytes32 leaf => bytes32 gameId) private _firstGames; // the first of a leaf's that is not lost
    mapping(bytes32 subject => Ballot.Box) private _ballots;
    mapping(address verifier => uint32) private _seatGames; // open games whose bond is a seat
    mapping(bytes32 attestation => bool) private _slashed;
    /// @inheritdoc IDisputeGame
    mapping(uint64 epochId => uint128) public voidedLeaves;
    /// @inheritdoc IPanel
    mapping(address account => uint256) public owed;

    constructor(PanelLinks memory links, PanelTerms memory terms) {
        if (terms.drawTime == 0 || terms.commit == 0 || terms.reveal == 0 || terms.challengeBond == 0) {
            revert Panel_ParameterInvalid();
        }
        if (terms.appealTime < terms.reveal) revert Panel_ParameterInvalid();
        ledger = links.ledger;
        attestations = links.attestations;
        escrow = links.escrow;
        seats = links.seats;
        vault = links.vault;
        beacon = links.beacon;
        drawTime = terms.drawTime;
        commitTime = terms.commit;
        revealTime = terms.reveal;
        appealTime = terms.appealTime;
        challengeBond = terms.challengeBond;
    }

    // --- a game

    /// @inheritdoc IDisputeGame
    function open(
        LeafRef calldata leaf,
        bytes calldata deviceSignature,
        uint32 task,
        SeatVerdict[] calldata verdicts
    ) external payable returns (bytes32 gameId) {
        // Check
        (bytes32 leafHash, uint32 leafNumber) = _checkLeaf(leaf, deviceSignature, task);
        address device = leaf.receipt.device;
        address owner = _checkDevice(device);
        gameId = keccak256(abi.encode(leaf.epochId, leafHash, leafNumber, task, msg.sender));
        if (_games[gameId].opener != address(0)) revert Panel_GameExists(gameId);
        bool seatBond = msg.value == 0;
        if (!seatBond && msg.value != challengeBond) revert Panel_BondMismatch(msg.value, challengeBond);

        // Effect
        address[] memory drawn = attestations.drawnSeats(leaf.epochId, leafHash, owner);
        bool accuses = _nameWinners(gameId, leaf.epochId, leafNumber, drawn, verdicts);
        if (seatBond) _engageSeat(accuses, leaf.head.snapshot);
        Game storage game = _games[gameId];
        game.opener = msg.sender;
        game.device = device;
        game.epochId = leaf.epochId;
        game.leafHash = leafHash;
        game.leafNumber = leafNumber;
        game.task = task;
        game.seatBond = seatBond;
        _noteFirst(gameId, leaf.epochId, leafHash);
        emit ChallengeOpened(gameId, leaf.epochId, device, msg.sender, leafHash, leafNumber, task, seatBond);
        _drawPanel(gameId, 0);

        // Interaction
        vault.gameOpened(device);
    }

    /// @inheritdoc IPanel
    function commitVote(bytes32 gameId, bytes32 commitment) external {
        bytes32 subject = _subjectOf(gameId);
        _ballots[subject].commit(_rules(), subject, commitment);
        emit VoteCommitted(gameId, subject, msg.sender);
    }

    /// @inheritdoc IPanel
    function revealVote(bytes32 gameId, bytes32 salt, uint8 vote) external {
        bytes32 subject = _subjectOf(gameId);
        _ballots[subject].reveal(_rules(), subject, salt, vote);
        emit VoteRevealed(gameId, subject, msg.sender, vote);
    }

    /// @inheritdoc IPanel
    function appeal(bytes32 gameId) external payable {
        // Check
        Game storage game = _games[gameId];
        if (game.round != 0) revert Panel_AlreadyAppealed(gameId);
        GameState state = stateOf(gameId);
        if (state != GameState.Decided) revert Panel_WrongState(state);
        if (msg.value != 2 * challengeBond) revert Panel_BondMismatch(msg.value, 2 * challengeBond);
        uint256 able = _seatsBut(game.opener);
        // INVARIANT: an appeal is decided by twice the seats; with fewer it would always hang.
        if (able < APPEAL_SEATS) revert Panel_TooFewSeats(able, APPEAL_SEATS);

        // Effect
        game.appellant = msg.sender;
        emit Appealed(gameId, msg.sender);
        _drawPanel(gameId, 1);
    }

    /// @inheritdoc IDisputeGame
    function resolve(bytes32 gameId) external {
        // Check
        Game memory game = _games[gameId];
        GameState outcome = stateOf(gameId);
        if (outcome == GameState.None || _outcomes[gameId] != GameState.None) revert Panel_WrongState(outcome);
        // INVARIANT: a device is convicted once; its other games end with every bond back.
        if (vault.deviceOf(game.device).convicted) outcome = GameState.Hung;
        if (outcome != GameState.Upheld && outcome != GameState.Rejected && outcome != GameState.Hung) {
            revert Panel_WrongState(outcome);
        }

        // Effect
        _outcomes[gameId] = outcome;
        if (game.seatBond) --_seatGames[game.opener];
        if (outcome == GameState.Hung) voidedLeaves[game.epochId] |= uint128(1) << game.leafNumber;
        if (outcome == GameState.Upheld) _winners[gameId] = winnersOf(gameId);
        address[] memory majority = _majority(game.subject, outcome);
        _returnBonds(gameId, game, outcome, majority);
        emit ChallengeResolved(gameId, game.device, outcome);

        // Interaction
        if (outcome == GameState.Upheld) {
            vault.convict(game.device, _winners[gameId], majority);
        } else if (outcome == GameState.Rejected && game.seatBond) {
            seats.slashSeat(game.opener, majority[0], gameId); // a decided ballot has a majority
        }
        vault.gameClosed(game.device);
    }

    // --- after a game

    /// @inheritdoc IPanel
    function slashAttestor(
        bytes32 gameId,
        LeafRef calldata leaf,
        Bid calldata bid,
        ResultProof calldata result,
        SeatVerdict calldata verdict
    ) external {
        // Check
        Game storage game = _games[gameId];
        if (_outcomes[gameId] != GameState.Upheld) revert Panel_WrongState(_outcomes[gameId]);
        (bytes32 leafHash, uint32 leafNumber,) = ledger.verifyLeaf(leaf);
        bool same = leafHash == game.leafHash && leafNumber == game.leafNumber && leaf.epochId == game.epochId;
        if (!same) revert Panel_NotOfGame(gameId);
        _checkResult(gameId, game.task, leaf.receipt, result);
        // INVARIANT: a seat is slashed only for a task that it had to replay and called right.
        address verifier = verdict.verifier;
        bool guilty = ledger.isDrawn(leaf.epochId, leaf.head, bid, leaf.receipt, game.task, result.wu)
            && _saidRight(leaf, leafHash, leafNumber, verdict);
        if (!guilty) revert Panel_AttestorInnocent(verifier);
        bytes32 attestation = keccak256(abi.encode(leaf.epochId, leafHash, verifier));
        if (_slashed[attestation]) revert Panel_AlreadySlashed(verifier);

        // Effect
        _slashed[attestation] = true;
        emit AttestorSlashed(gameId, verifier);

        // Interaction
        seats.slashSeat(verifier, _winners[gameId][0], gameId);
    }

    /// @inheritdoc IPanel
    function withdraw(address account) external {
        // Check
        uint256 amount = owed[account];
        if (amount == 0) revert Panel_NothingPaid(account);

        // Effect
        owed[account] = 0;
        emit Paid(account, amount);

        // Interaction
        (bool done,) = account.call{value: amount}("");
        if (!done) revert Panel_NothingPaid(account);
    }

    // --- views

    /// @inheritdoc IDisputeGame
    function stateOf(bytes32 gameId) public view returns (GameState) {
        if (_outcomes[gameId] != GameState.None) return _outcomes[gameId];
        Game storage game = _games[gameId];
        Ballot.Box storage box = _ballots[game.subject];
        Ballot.Rules memory rules = _rules();
        Ballot.Phase phase = box.phase(rules);
        if (phase == Ballot.Phase.None) return GameState.None;
        if (phase == Ballot.Phase.Drawing) return GameState.Drawing;
        if (phase == Ballot.Phase.Committing) return GameState.Committing;
        if (phase == Ballot.Phase.Revealing) return GameState.Revealing;
        if (game.round == 0 && block.timestamp < box.endsAt(rules) + appealTime) return GameState.Decided;
        return _counted(game.subject);
    }

    /// @inheritdoc IPanel
    function gameOf(bytes32 gameId) external view returns (Game memory) {
        return _games[gameId];
    }

    /// @inheritdoc IPanel
    function panelSeats(bytes32 gameId) external view returns (address[] memory) {
        bytes32 subject = _subjectOf(gameId);
        return _ballots[subject].drawn(_rules(), subject);
    }

    /// @inheritdoc IPanel
    function winnersOf(bytes32 gameId) public view returns (address[] memory winners) {
        winners = _winners[gameId];
        if (winners.length != 0) return winners;
        // INVARIANT: where no seat accused, the first opener wins: a copied challenge that is quicker decided earns nothing.
        Game storage game = _games[gameId];
        bytes32 first = _firstGames[keccak256(abi.encode(game.epochId, game.leafHash))];
        winners = new address[](1);
        winners[0] = _games[_isLost(first) ? gameId : first].opener;
    }

    // --- opening, inside

    function _checkLeaf(LeafRef calldata leaf, bytes calldata deviceSignature, uint32 task)
        private
        view
        returns (bytes32 leafHash, uint32 leafNumber)
    {
        EpochState state = attestations.stateOf(leaf.epochId);
        if (state != EpochState.Window) revert Panel_OutsideWindow(state);
        bool settled;
        (leafHash, leafNumber, settled) = ledger.verifyLeaf(leaf);
        if (settled) revert Panel_LeafSettled(leafNumber);
        if (task >= leaf.receipt.count) revert Panel_TaskOutside(task, leaf.receipt.count);
        // INVARIANT: a device answers only for what it signed.
        bytes32 digest = escrow.digestOf(Messages.receiptHash(leaf.receipt));
        if (!Signature.isBy(leaf.receipt.device, digest, deviceSignature)) {
            revert Panel_SignatureInvalid(leaf.receipt.device);
        }
    }

    /// @dev Unbonding stake pays for a game too: asking for it back is no way out of one.
    function _checkDevice(address account) private view returns (address owner) {
        Device memory device = vault.deviceOf(account);
        if (device.convicted) revert Panel_DeviceConvicted(account);
        uint256 stake = uint256(device.stake) + device.unbonding;
        uint128 needed = vault.minimumStake();
        if (stake < needed) revert Panel_StakeTooLow(stake, needed);
        return device.owner;
    }

    function _noteFirst(bytes32 gameId, uint64 epochId, bytes32 leafHash) private {
        bytes32 leaf = keccak256(abi.encode(epochId, leafHash));
        bytes32 first = _firstGames[leaf];
        if (first == 0 || _isLost(first)) _firstGames[leaf] = gameId;
    }

    function _isLost(bytes32 gameId) private view returns (bool) {
        return _outcomes[gameId] == GameState.Rejected || _outcomes[gameId] == GameState.Hung;
    }

    /// @dev The drawn seats that revealed "wrong" share the winner's part.
    function _nameWinners(
        bytes32 gameId,
        uint64 epochId,
        uint32 leafNumber,
        address[] memory drawn,
        SeatVerdict[] calldata verdicts
    ) private returns (bool openerAccuses) {
        address[] storage winners = _winners[gameId];
        for (uint256 i; i < drawn.length; ++i) {
            if (attestations.verdictHash(epochId, drawn[i]) == 0) continue;
            // INVARIANT: whoever copies a seat's accusation can't leave the seat out.
            SeatVerdict calldata verdict = _verdictBy(drawn[i], verdicts);
            (uint8 value,) = attestations.verdictOf(epochId, leafNumber, verdict);
            if (value != Verdicts.WRONG) continue;
            winners.push(drawn[i]);
            if (drawn[i] == msg.sender) openerAccuses = true;
        }
    }

    /// @dev Takes one of the opener's seats as the bond.
    function _engageSeat(bool accuses, uint32 snapshot) private {
        if (!accuses) revert Panel_NotAccuser(msg.sender);
        uint32 held = seats.seatsOf(snapshot, msg.sender);
        // INVARIANT: a seat is the bond of one game at a time.
        if (_seatGames[msg.sender] >= held) revert Panel_SeatsEngaged(msg.sender, held);
        ++_seatGames[msg.sender];
    }

    function _verdictBy(address verifier, SeatVerdict[] calldata verdicts) private pure returns (SeatVerdict calldata) {
        for (uint256 i; i < verdicts.length; ++i) {
            if (verdicts[i].verifier == verifier) return verdicts[i];
        }
        revert Panel_VerdictMissing(verifier);
    }

    function _drawPanel(bytes32 gameId, uint8 round) private {
        Game storage game = _games[gameId];
        bytes32 subject = keccak256(abi.encode(gameId, round));
        Ballot.Box storage box = _ballots[subject];
        (uint8 wanted, uint8 needed) = round == 0 ? (SEATS, MAJORITY) : (APPEAL_SEATS, APPEAL_MAJORITY);
        // INVARIANT: nobody judges an accusation of its own.
        box.open(_rules(), wanted, needed, game.opener);
        game.round = round;
        game.subject = subject;
        game.snapshot = box.snapshot;
        game.beaconRound = box.beaconRound;
        emit PanelDrawn(gameId, subject, round, box.beaconRound, box.snapshot);
    }

    /// @dev Seats of now that `excluded` neither verifies nor owns.
    function _seatsBut(address excluded) private returns (uint256 able) {
        Seat[] memory all = seats.seatsIn(seats.snapshot());
        for (uint256 i; i < all.length; ++i) {
            if (all[i].verifier != excluded && all[i].owner != excluded) ++able;
        }
    }

    // --- resolving, inside

    /// @dev What an ended ballot says.
    function _counted(bytes32 subject) private view returns (GameState) {
        uint8 vote = _ballots[subject].outcome();
        if (vote == Ballot.RIGHT) return GameState.Rejected;
        return vote == Ballot.WRONG ? GameState.Upheld : GameState.Hung; // a majority without the data hangs it too
    }

    function _majority(bytes32 subject, GameState outcome) private view returns (address[] memory) {
        if (outcome == GameState.Hung) return new address[](0);
        return _ballots[subject].votersFor(outcome == GameState.Upheld ? Ballot.WRONG : Ballot.RIGHT);
    }

    /// @dev Bonds of native coin: the loser's go to the majority, the others come back.
    function _returnBonds(bytes32 gameId, Game memory game, GameState outcome, address[] memory majority) private {
        uint256 lost;
        if (!game.seatBond) {
            if (outcome == GameState.Rejected) lost += challengeBond;
            else _owe(game.opener, challengeBond);
        }
        if (game.appellant != address(0)) {
            bool stays = outcome != GameState.Hung && outcome == _counted(keccak256(abi.encode(gameId, uint8(0))));
            if (stays) lost += 2 * challengeBond;
            else _owe(game.appellant, 2 * challengeBond);
        }
        for (uint256 i; i < majority.length; ++i) {
            _owe(majority[i], lost / majority.length + (i < lost % majority.length ? 1 : 0));
        }
    }

    function _owe(address account, uint256 amount) private {
        if (amount == 0) return;
        owed[account] += amount;
        emit Owed(account, amount);
    }

    // --- attestors, inside

    /// @dev The result must stand at the convicted task's position in the receipt's tree, with the receipt's sums.
    function _checkResult(bytes32 gameId, uint32 task, Receipt calldata receipt, ResultProof calldata result)
        private
        pure
    {
        bytes32 leaf = MerkleSum.resultLeaf(
            result.taskIndex, result.outputLength, result.outputRoot, result.wu, result.status
        );
        (bytes32 root, MerkleSum.Work memory sum) =
            MerkleSum.resultRoot(leaf, result.wu, task, receipt.count, result.siblings, result.siblingSums);
        if (root != receipt.resultsRoot || sum.wu != receipt.totalWU || sum.squaredWU != receipt.totalSquaredWU) {
            revert Panel_NotOfGame(gameId);
        }
    }

    function _saidRight(LeafRef calldata leaf, bytes32 leafHash, uint32 leafNumber, SeatVerdict calldata verdict)
        private
        view
        returns (bool)
    {
        (uint8 value,) = attestations.verdictOf(leaf.epochId, leafNumber, verdict);
        if (value != Verdicts.RIGHT) return false;
        address owner = vault.deviceOf(leaf.receipt.device).owner;
        address[] memory drawn = attestations.drawnSeats(leaf.epochId, leafHash, owner);
        for (uint256 i; i < drawn.length; ++i) {
            if (drawn[i] == verdict.verifier) return true;
        }
        return false;
    }

    // --- inside

    function _subjectOf(bytes32 gameId) private view returns (bytes32 subject) {
        subject = _games[gameId].subject;
        if (subject == 0) revert Panel_WrongState(GameState.None);
    }

    function _rules() private view returns (Ballot.Rules memory) {
        return Ballot.Rules(beacon, seats, drawTime, commitTime, revealTime);
    }
}
