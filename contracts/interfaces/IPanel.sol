// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {GameState, IDisputeGame} from "./IDisputeGame.sol";
import {LeafRef} from "./IEpochLedger.sol";
import {EpochState, SeatVerdict} from "./IAttestations.sol";
import {Bid} from "./IMessages.sol";
import {MerkleSum} from "../libraries/MerkleSum.sol";

struct Game {
    address opener;
    address device;
    uint64 epochId;
    bytes32 leafHash;
    uint32 leafNumber;
    uint32 task;
    bool seatBond;
    uint8 round; // 0, or 1 after an appeal
    uint32 snapshot;
    uint64 beaconRound;
    address appellant;
    bytes32 subject; // of the current ballot
}

/// @notice A result leaf with its path in the receipt's results tree.
struct ResultProof {
    uint32 taskIndex; // in the job
    uint64 outputLength;
    bytes32 outputRoot;
    uint64 wu;
    uint8 status;
    bytes32[] siblings;
    MerkleSum.Work[] siblingSums;
}

/// @dev Who pays: rejected, the opener's bond goes to the seats of the majority (a seat bond: that seat is slashed, the first
/// seat of the majority in drawing order gets the winner's share); upheld, the opener's bond comes back, the winners and the
/// seats of the majority share a quarter of the device's stake (IStakeVault.convict); hung, every bond comes back and nobody is slashed. A game on a device that another game convicted ends as
/// hung, at once.
/// @notice Three seats (six on appeal) of verifiers other than the opener, drawn by the beacon after the opening, vote by commit and reveal.
interface IPanel is IDisputeGame {
    /// @notice Thrown when a constructor parameter is zero, or the appeal time is shorter than the reveal time.
    error Panel_ParameterInvalid();
    /// @notice Thrown when the epoch is not in its window.
    error Panel_OutsideWindow(EpochState got);
    /// @notice Thrown when the leaf was claimed, voided or returned.
    error Panel_LeafSettled(uint32 leafNumber);
    /// @notice Thrown when the task is not one of the receipt's.
    error Panel_TaskOutside(uint32 task, uint32 count);
    /// @notice Thrown when the receipt is not signed by the device.
    error Panel_SignatureInvalid(address device);
    /// @notice Thrown when the device was convicted already.
    error Panel_DeviceConvicted(address device);
    /// @notice Thrown when the device's stake, unbonding stake counted, would not pay for a game.
    error Panel_StakeTooLow(uint256 got, uint128 needed);
    /// @notice Thrown when the native coin sent is neither the bond nor, for a seat that said "wrong", nothing.
    error Panel_BondMismatch(uint256 got, uint256 needed);
    /// @notice Thrown when a seat that did not reveal "wrong" for the leaf offers its seat as the bond.
    error Panel_NotAccuser(address opener);
    /// @notice Thrown when all seats of an opener are bonds of games already.
    error Panel_SeatsEngaged(address opener, uint32 seats);
    /// @notice Thrown when the verdict of a drawn verifier that revealed is left out.
    error Panel_VerdictMissing(address verifier);
    /// @notice Thrown when the same opener accuses the same task again.
    error Panel_GameExists(bytes32 gameId);
    /// @notice Thrown when the game is not in the state that the call needs.
    error Panel_WrongState(GameState got);
    /// @notice Thrown when a game was appealed before.
    error Panel_AlreadyAppealed(bytes32 gameId);
    /// @notice Thrown when there are not enough seats for an appeal: it could only hang, and free whom the panel convicted.
    error Panel_TooFewSeats(uint256 got, uint256 needed);
    /// @notice Thrown when leaf, task or verdict are not those of the convicted game.
    error Panel_NotOfGame(bytes32 gameId);
    /// @notice Thrown when a verifier may not be slashed: it was not drawn, did not say "right", or the task was not drawn.
    error Panel_AttestorInnocent(address verifier);
    /// @notice Thrown when an attestor was slashed for this leaf before.
    error Panel_AlreadySlashed(address verifier);
    /// @notice Thrown when nothing is owed to the account, or it does not take it.
    error Panel_NothingPaid(address account);

    event AttestorSlashed(bytes32 indexed gameId, address indexed verifier);
    event Owed(address indexed account, uint256 amount);
    event Paid(address indexed account, uint256 amount);

    event PanelDrawn(bytes32 indexed gameId, bytes32 indexed subject, uint8 round, uint64 beaconRound, uint32 snapshot);
    event VoteCommitted(bytes32 indexed gameId, bytes32 indexed subject, address indexed verifier);
    event VoteRevealed(bytes32 indexed gameId, bytes32 indexed subject, address indexed verifier, uint8 vote);
    event Appealed(bytes32 indexed gameId, address indexed appellant);

    function commitVote(bytes32 gameId, bytes32 commitment) external;
    /// @param vote 1 the result stands, 2 the result is wrong, 3 unavailable
    function revealVote(bytes32 gameId, bytes32 salt, uint8 vote) external;
    /// @notice Within the appeal time, by anyone with twice the challenge bond: six seats decide. Lost to the panel where the outcome stays.
    function appeal(bytes32 gameId) external payable;
    /// @notice After a conviction: slashes a seat that revealed "right" for the leaf although the convicted task was drawn.
    /// @param result the convicted task's leaf in the receipt's results tree; its WU decides whether it was drawn
    function slashAttestor(bytes32 gameId, LeafRef calldata leaf, Bid calldata bid, ResultProof calldata result, SeatVerdict calldata verdict)
        external;
    function gameOf(bytes32 gameId) external view returns (Game memory);
    /// @notice Verifiers of the seats that may vote, one for each seat; reverts while the randomness is not there.
    function panelSeats(bytes32 gameId) external view returns (address[] memory);
    /// @notice Native coin owed to an account (bonds that came back, panel pay); pulled by `withdraw`.
    function owed(address account) external view returns (uint256);
    function withdraw(address account) external;
    /// @notice Accounts that get the winner's share when the game is upheld: the drawn seats that said "wrong", else the opener of the
    /// leaf's first game that is not lost.
    function winnersOf(bytes32 gameId) external view returns (address[] memory);
}
