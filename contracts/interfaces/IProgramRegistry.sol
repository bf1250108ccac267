// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @notice What a program id commits to; `programId = keccak256(abi.encode(all fields in this order))`.
struct Program {
    uint8 class; // 1 provable, 2 replayable
    bytes32 originalHash;
    bytes32 rewrittenHash;
    bytes32 codeRoot; // zero where there is no lowering
    bytes32 initialMemoryRoot;
    uint64 limitWU; // most that one task may cost
    uint32 memoryPages;
    uint32 frameBytes;
    uint32 toolVersion;
}

/// @notice Programs by id. Registering proves nothing: whoever runs one recomputes all of it first.
/// Devices that cannot recompute take only programs that two of three drawn seats have attested.
interface IProgramRegistry {
    /// @notice Thrown when the program is registered already.
    error ProgramRegistry_AlreadyRegistered(bytes32 programId);
    /// @notice Thrown when the program is unknown.
    error ProgramRegistry_Unknown(bytes32 programId);
    /// @notice Thrown when the class is neither 1 nor 2.
    error ProgramRegistry_BadClass(uint8 got);
    /// @notice Thrown when the limit is zero.
    error ProgramRegistry_NoLimit();
    /// @notice Thrown while the beacon's round is not there (or when it came and went unread: then draw again).
    error ProgramRegistry_NotDrawnYet(uint64 round);
    /// @notice Thrown when a verifier was not drawn for this program.
    error ProgramRegistry_NotDrawn(address verifier);
    /// @notice Thrown when a verifier attests twice.
    error ProgramRegistry_AlreadyAttested(address verifier);
    /// @notice Thrown when the program is attested already.
    error ProgramRegistry_Complete(bytes32 programId);
    /// @notice Thrown when seats are drawn again before the drawn ones had their time.
    error ProgramRegistry_TooSoon(uint256 got, uint256 needed);
    /// @notice Thrown when seats were drawn three times.
    error ProgramRegistry_NoMoreDraws(bytes32 programId);

    event Registered(bytes32 indexed programId, address indexed author, Program program);
    event AttestationRequested(bytes32 indexed programId, uint64 round, uint32 snapshot);
    event ProgramAttested(bytes32 indexed programId, address indexed verifier, uint32 seats, bool complete);

    /// @notice Records a program and asks the beacon for three seats to attest it.
    function register(Program calldata program) external returns (bytes32 programId);

    /// @notice A drawn verifier's word that it recomputed the program: counts all its drawn seats, once.
    function attest(bytes32 programId) external;

    /// @notice Draws three seats again when nobody drawn has attested for a time. Two redraws at most [!]: without a bound an
    /// author would draw until corrupt seats hold the majority.
    function redraw(bytes32 programId) external;

    /// @notice limitWU of a registered program, zero for an unknown one.
    function limitWU(bytes32 programId) external view returns (uint64);

    /// @notice True once two of three drawn seats have attested.
    function attested(bytes32 programId) external view returns (bool);

    /// @notice Verifiers of the three drawn seats; reverts while the beacon's round is not there.
    function drawnVerifiers(bytes32 programId) external view returns (address[] memory);
}
