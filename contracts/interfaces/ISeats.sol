// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

struct Seat {
    address verifier; // replays, commits and reveals for this seat
    address owner; // whose devices this seat is not drawn for
}

struct Settler {
    uint128 bond; // token wei, locked part included
    uint128 locked; // epochBond for each unfinished epoch
    uint128 unbonding; // requested back, still slashable, counts for nothing
    uint40 unbondsAt;
    uint24 feePpm; // the fee that jobs opened from now on pay
}

struct Verifier {
    address owner; // fixed when it first joins
    uint32 seats; // now, before the next snapshot
    uint40 unbondsAt;
    uint128 unbonding; // token wei of seats that were given back, still slashable
}

/// @notice Verifiers' seats (a fixed stake each), settlers' bonds, snapshots by period, and shares of what either lost.
/// Seats present at deployment time (before the first period ends) count at once; later changes count from the next period.
interface ISeats {
    /// @notice Thrown when a function of another contract is called by somebody else.
    error Seats_NotAllowed(address caller);
    /// @notice Thrown at deployment when stake or bonds could be withdrawn before a conviction can come.
    error Seats_UnbondingTooShort(uint40 got, uint40 needed);
    /// @notice Thrown at deployment when a period or an amount is zero.
    error Seats_ZeroParameter();
    /// @notice Thrown when no seats or an owner of zero are given.
    error Seats_NothingGiven();
    /// @notice Thrown when a verifier joins under another owner than before.
    error Seats_OtherOwner(address got, address needed);
    /// @notice Thrown when more seats would be held than a snapshot may have.
    error Seats_TooMany(uint256 got, uint256 maximum);
    /// @notice Thrown when a verifier gives back more seats than it holds.
    error Seats_TooFew(uint32 got, uint32 needed);
    /// @notice Thrown when unbonding money is withdrawn before its time.
    error Seats_TooSoon(uint256 got, uint40 needed);
    /// @notice Thrown when nothing is unbonding.
    error Seats_NothingUnbonding(address account);
    /// @notice Thrown when a settler's fee is above 30,000 ppm.
    error Seats_FeeTooHigh(uint24 got, uint24 maximum);
    /// @notice Thrown when a settler's free bond does not cover what is asked.
    error Seats_BondTooLow(uint128 got, uint128 needed);
    /// @notice Thrown when an epoch bond is released or burned that is not locked.
    error Seats_NotLocked(address settler);
    /// @notice Thrown for a snapshot that was not taken, or a seat that it does not have.
    error Seats_Unknown(uint256 got, uint256 count);

    event SeatsJoined(address indexed verifier, address indexed owner, uint32 count);
    event SeatsLeft(address indexed verifier, uint32 count);
    event SeatStakeWithdrawn(address indexed verifier, uint128 amount);
    event SnapshotTaken(uint32 indexed snapshot, uint32 seats, uint32 verifiers);
    event SeatSlashed(address indexed verifier, uint128 amount, bytes32 indexed cause);
    event BondDeposited(address indexed settler, uint128 amount, uint24 feePpm);
    event BondRequestedBack(address indexed settler, uint128 amount, uint40 unbondsAt);
    event BondWithdrawn(address indexed settler, uint128 amount);
    event BondPaid(address indexed settler, uint128 amount, address[] accounts);
    event BondLocked(address indexed settler);
    event BondReleased(address indexed settler);
    event BondBurned(address indexed settler, uint128 amount);
    event Credited(address indexed account, uint128 amount);
    event Withdrawn(address indexed account, uint128 amount);

    // --- verifiers
    /// @notice Takes `count` seats for msg.sender, `seatStake` token wei each.
    function join(uint32 count, address owner) external;
    /// @notice Gives `count` seats back from the next period on; the stake unbonds.
    function leave(uint32 count) external;
    /// @notice Pays out unbonded seat stake of msg.sender.
    function withdrawSeatStake() external;
    function verifierOf(address verifier) external view returns (Verifier memory);

    // --- settlers
    /// @notice Adds to the bond of msg.sender and sets the fee of jobs that it opens or is named in from now on (<= 30,000 ppm).
    function depositBond(uint128 amount, uint24 feePpm) external;
    function requestBondBack(uint128 amount) external;
    function withdrawBond() external;
    function settlerOf(address settler) external view returns (Settler memory);
    /// @notice True when the settler's free bond covers one more epoch.
    function isBonded(address settler) external view returns (bool);

    // --- shares of slashes and of settlers' bonds (token wei), pushed to the account by anyone; what claims pay is in JobEscrow
    function earned(address account) external view returns (uint128);
    function withdrawEarned(address account) external;

    // --- snapshots
    /// @notice The number of the snapshot that draws of this moment use; takes a new one when a period has passed and seats changed.
    function snapshot() external returns (uint32);
    function seatCount(uint32 snapshotId) external view returns (uint32);
    function verifierCount(uint32 snapshotId) external view returns (uint32);
    function seatAt(uint32 snapshotId, uint32 index) external view returns (Seat memory);
    /// @notice All seats of a snapshot in order (for draws made in one call).
    function seatsIn(uint32 snapshotId) external view returns (Seat[] memory);
    /// @notice Seats that `verifier` holds in the snapshot.
    function seatsOf(uint32 snapshotId, address verifier) external view returns (uint32);

    // --- only EpochLedger
    function lockEpochBond(address settler) external;
    function releaseEpochBond(address settler) external;
    /// @notice Burns one locked epoch bond.
    function burnEpochBond(address settler) external;

    // --- only EpochLedger, Attestations, Panel
    /// @notice Takes one seat's stake of `verifier` (now, or unbonding): 25 % to `winner` (zero: burned too), the rest burned.
    function slashSeat(address verifier, address winner, bytes32 cause) external;
    /// @notice Pays up to `amount` from the settler's bond to `accounts` in equal parts (as far as the bond goes).
    function payFromBond(address settler, address[] calldata accounts, uint128 amount) external;

    function seatStake() external view returns (uint128);
    function epochBond() external view returns (uint128);
}
