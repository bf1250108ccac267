// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBeacon} from "../interfaces/IBeacon.sol";
import {IProgramRegistry, Program} from "../interfaces/IProgramRegistry.sol";
import {ISeats} from "../interfaces/ISeats.sol";
import {Draw} from "../libraries/Draw.sol";

/// @title Programs by id, and which of them drawn seats have attested
contract ProgramRegistry is IProgramRegistry {
    uint256 private constant SEATS_DRAWN = 3;
    uint8 private constant SEATS_NEEDED = 2;
    uint8 private constant MAX_DRAWS = 3;

    /// @dev One slot.
    struct Record {
        uint64 limitWU; // zero while unknown
        uint64 round; // the beacon's
        uint40 activeAt; // of the last draw or attestation
        uint32 snapshot;
        uint8 draws;
        uint8 attestedSeats; // in the latest draw
        bool complete;
    }

    IBeacon public immutable beacon;
    ISeats public immutable seats;
    uint40 public immutable redrawAfter_s;

    mapping(bytes32 programId => Record) private _records;
    /// @dev Kept from the first attestation on: the beacon forgets.
    mapping(bytes32 programId => bytes32) private _randomness;
    mapping(bytes32 programId => mapping(uint8 draw => mapping(address verifier => bool))) private _hasAttested;

    constructor(IBeacon beacon_, ISeats seats_, uint40 redrawAfter_s_) {
        beacon = beacon_;
        seats = seats_;
        redrawAfter_s = redrawAfter_s_;
    }

    /// @inheritdoc IProgramRegistry
    function register(Program calldata program) external returns (bytes32 programId) {
        programId = keccak256(abi.encode(program));
        if (_records[programId].limitWU != 0) revert ProgramRegistry_AlreadyRegistered(programId);
        if (program.class != 1 && program.class != 2) revert ProgramRegistry_BadClass(program.class);
        if (program.limitWU == 0) revert ProgramRegistry_NoLimit();
        _records[programId].limitWU = program.limitWU;
        emit Registered(programId, msg.sender, program);
        _startDraw(programId);
    }

    /// @inheritdoc IProgramRegistry
    function attest(bytes32 programId) external {
        Record storage record = _known(programId);
        if (record.complete) revert ProgramRegistry_Complete(programId);
        bytes32 randomness = _randomnessOf(programId, record.round);
        uint8 count = _countOf(_drawn(programId, record.snapshot, randomness), msg.sender);
        // INVARIANT: only a drawn verifier's word counts, once, with all of its drawn seats.
        if (count == 0) revert ProgramRegistry_NotDrawn(msg.sender);
        if (_hasAttested[programId][record.draws][msg.sender]) revert ProgramRegistry_AlreadyAttested(msg.sender);
        _hasAttested[programId][record.draws][msg.sender] = true;
        _randomness[programId] = randomness;
        record.attestedSeats += count; // at most three in all
        record.activeAt = uint40(block.timestamp);
        record.complete = record.attestedSeats >= SEATS_NEEDED;
        emit ProgramAttested(programId, msg.sender, count, record.complete);
    }

    /// @inheritdoc IProgramRegistry
    function redraw(bytes32 programId) external {
        Record storage record = _known(programId);
        if (record.complete) revert ProgramRegistry_Complete(programId);
        uint256 needed = uint256(record.activeAt) + redrawAfter_s;
        if (block.timestamp <= needed) revert ProgramRegistry_TooSoon(block.timestamp, needed);
        // INVARIANT: nobody draws until it likes the seats.
        if (record.draws == MAX_DRAWS) revert ProgramRegistry_NoMoreDraws(programId);
        delete _randomness[programId];
        _startDraw(programId);
    }

    /// @inheritdoc IProgramRegistry
    function limitWU(bytes32 programId) external view returns (uint64) {
        return _records[programId].limitWU;
    }

    /// @inheritdoc IProgramRegistry
    function attested(bytes32 programId) external view returns (bool) {
        return _records[programId].complete;
    }

    /// @inheritdoc IProgramRegistry
    function drawnVerifiers(bytes32 programId) external view returns (address[] memory) {
        Record storage record = _known(programId);
        return _drawn(programId, record.snapshot, _randomnessOf(programId, record.round));
    }

    function _startDraw(bytes32 programId) private {
        Record storage record = _records[programId];
        record.round = beacon.nextRound();
        record.snapshot = seats.snapshot();
        record.activeAt = uint40(block.timestamp);
        record.draws += 1; // at most MAX_DRAWS
        record.attestedSeats = 0;
        emit AttestationRequested(programId, record.round, record.snapshot);
    }

    function _known(bytes32 programId) private view returns (Record storage record) {
        record = _records[programId];
        if (record.limitWU == 0) revert ProgramRegistry_Unknown(programId);
    }

    function _randomnessOf(bytes32 programId, uint64 round) private view returns (bytes32 randomness) {
        randomness = _randomness[programId];
        if (randomness == 0) randomness = beacon.randomness(round);
        if (randomness == 0) revert ProgramRegistry_NotDrawnYet(round);
    }

    function _drawn(bytes32 programId, uint32 snapshot, bytes32 randomness) private view returns (address[] memory) {
        bytes32 seed = Draw.ballotSeed(randomness, programId);
        return Draw.ballotSeats(seats.seatsIn(snapshot), seed, programId, SEATS_DRAWN, address(0));
    }

    function _countOf(address[] memory drawn, address verifier) private pure returns (uint8 count) {
        for (uint256 i; i < drawn.length; ++i) {
            if (drawn[i] == verifier) ++count;
        }
    }
}
