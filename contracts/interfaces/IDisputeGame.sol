// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LeafRef} from "./IEpochLedger.sol";
import {SeatVerdict} from "./IAttestations.sol";

enum GameState {
    None,
    Drawing, // the beacon's round is not there yet
    Committing,
    Revealing,
    Decided, // may be appealed for a time
    Upheld, // the result was wrong: the device is convicted
    Rejected, // the result stands
    Hung // void: nobody is slashed
}

/// @notice What decides a challenge: the panel now, dissection to one instruction for the provable class later.
interface IDisputeGame {
    event ChallengeOpened(
        bytes32 indexed gameId, uint64 indexed epochId, address indexed device, address opener, bytes32 leafHash, uint32 leafNumber, uint32 task, bool seatBond
    );
    event ChallengeResolved(bytes32 indexed gameId, address indexed device, GameState outcome);

    /// @notice Accuses task `task` (its position in the receipt) of an unsettled leaf during the window, on the device's signed receipt.
    /// The bond is `challengeBond` of native coin, or with no coin sent, where the opener's own revealed verdict for this leaf is "wrong", its seat.
    /// `verdicts` must hold the revealed verdict, whatever it says, of every verifier that was drawn for the leaf and revealed:
    /// those that said "wrong" get the winner's share, else whoever opened the leaf's first game that is not lost by then (so
    /// copying a call earns nothing).
    /// Without native coin the bond is the opener's seat: it must be one of those that said "wrong", and holds at most as
    /// many games at a time as seats in the epoch's snapshot.
    /// One game for each (leaf, task, opener); games are independent.
    function open(LeafRef calldata leaf, bytes calldata deviceSignature, uint32 task, SeatVerdict[] calldata verdicts)
        external
        payable
        returns (bytes32 gameId);
    /// @notice Carries out the outcome once it can no longer change, by anyone.
    function resolve(bytes32 gameId) external;
    function stateOf(bytes32 gameId) external view returns (GameState);
    /// @notice Native coin, wei.
    function challengeBond() external view returns (uint256);
    /// @notice Bitmap by leaf number of an epoch's leaves whose game hung: they can't be claimed, and anyone may void them.
    function voidedLeaves(uint64 epochId) external view returns (uint128);
}
