// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @dev Two slots, in this order.
struct Device {
    address owner; // bound for good by both signatures
    bool convicted;
    uint32 openGames;
    uint40 unbondsAt;
    uint104 stake; // token wei that counts; 104 bits hold 20,000 times the token's supply
    uint104 unbonding; // requested back: counts zero, stays slashable
    uint48 changedIn; // block of the stake's last change
}

/// @notice What a claim asks of a device.
struct Standing {
    address owner;
    bool convicted;
    uint32 openGames;
    uint128 stakeNow; // token wei
    uint128 stakeThen; // as `stakeAt` gives it, token wei
}

/// @notice Stake, held for each device alone, with its history by block.
interface IStakeVault {
    /// @notice Thrown when a function of another contract is called by somebody else.
    error StakeVault_NotAllowed(address caller);
    /// @notice Thrown at deployment when stake could be withdrawn before a conviction can come.
    error StakeVault_UnbondingTooShort(uint40 got, uint40 needed);
    /// @notice Thrown when a device is bound already.
    error StakeVault_AlreadyBound(address device, address owner);
    /// @notice Thrown when the device's or the owner's signature of the binding is wrong.
    error StakeVault_BadSignature(address signer);
    /// @notice Thrown when a device is not bound to an owner.
    error StakeVault_NotBound(address device);
    /// @notice Thrown when somebody else than the owner asks for stake.
    error StakeVault_NotOwner(address caller, address owner);
    /// @notice Thrown when a device is convicted.
    error StakeVault_Convicted(address device);
    /// @notice Thrown when more stake is requested than the device has.
    error StakeVault_StakeTooLow(uint128 got, uint128 needed);
    /// @notice Thrown when unbonding stake is withdrawn before its time.
    error StakeVault_TooSoon(uint256 got, uint40 needed);
    /// @notice Thrown when nothing is unbonding.
    error StakeVault_NothingUnbonding(address device);
    /// @notice Thrown when stake is withdrawn while a game is open on the device.
    error StakeVault_GameOpen(address device, uint32 openGames);
    /// @notice Thrown when the stake of a block that is not over is asked for.
    error StakeVault_BlockNotOver(uint256 got, uint256 current);

    event Bound(address indexed device, address indexed owner);
    event Staked(address indexed device, address indexed payer, uint128 amount);
    event Bonded(address indexed device, uint128 amount);
    event UnstakeRequested(address indexed device, uint128 amount, uint40 unbondsAt);
    event Unstaked(address indexed device, address indexed owner, uint128 amount);
    event GameOpened(address indexed device, uint32 openGames);
    event GameClosed(address indexed device, uint32 openGames);
    event Convicted(address indexed device, uint128 slashed, uint128 paid, uint128 burned);

    /// @notice Binds a device to its owner for good; anyone may send it.
    function bind(address device, address owner, bytes calldata deviceSignature, bytes calldata ownerSignature) external;
    function stake(address device, uint128 amount) external;
    /// @notice Moves stake to unbonding; only the owner. A second request restarts the clock for the whole.
    function requestUnstake(address device, uint128 amount) external;
    /// @notice Pays out unbonded stake to the owner; refused while convicted or with an open game.
    function withdrawStake(address device) external;

    function deviceOf(address device) external view returns (Device memory);
    /// @notice Stake that counted at the end of `blockNumber`: zero below the minimum, which no game can take.
    function stakeAt(address device, uint256 blockNumber) external view returns (uint128);
    /// @notice The devices' standings now, in their order, with the stake that counted at the end of `blockNumber`.
    function standingsAt(address[] calldata devices, uint256 blockNumber) external view returns (Standing[] memory);
    function minimumStake() external view returns (uint128); // S_min

    // --- only EpochLedger
    /// @notice Adds pay that the escrow has just transferred here to the device's stake.
    function bondPay(address device, uint128 amount) external;

    // --- only a dispute game (Panel)
    function gameOpened(address device) external;
    function gameClosed(address device) external;
    /// @notice Takes the whole stake, unbonding too. A quarter is paid out at once, a fifth of it to `judges` (where there
    /// are any) and the rest to `winners`, each in equal parts; everything else is burned.
    /// @dev The judges are paid out of the quarter and not beside it: more would come back to a cheat that convicts itself.
    function convict(address device, address[] calldata winners, address[] calldata judges)
        external
        returns (uint128 slashed);
}
