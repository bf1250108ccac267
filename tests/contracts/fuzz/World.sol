// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {AttestationClocks, AttestationLinks} from "../../../contracts/settlement/Attestations.sol";
import {LedgerLimits, LedgerLinks} from "../../../contracts/settlement/EpochLedger.sol";
import {PanelLinks, PanelTerms} from "../../../contracts/dispute/Panel.sol";
import {SeatsParameters} from "../../../contracts/staking/Seats.sol";
import {VaultParameters} from "../../../contracts/staking/StakeVault.sol";
import {IAttestations} from "../../../contracts/interfaces/IAttestations.sol";
import {IBeacon} from "../../../contracts/interfaces/IBeacon.sol";
import {IEpochLedger} from "../../../contracts/interfaces/IEpochLedger.sol";
import {IJobEscrow} from "../../../contracts/interfaces/IJobEscrow.sol";
import {Bid} from "../../../contracts/interfaces/IMessages.sol";
import {IPanel} from "../../../contracts/interfaces/IPanel.sol";
import {IProgramRegistry, Program} from "../../../contracts/interfaces/IProgramRegistry.sol";
import {ISeats} from "../../../contracts/interfaces/ISeats.sol";
import {IStakeVault} from "../../../contracts/interfaces/IStakeVault.sol";
import {Messages} from "../../../contracts/libraries/Messages.sol";
import {VM} from "./Vm.sol";

/// @notice The whole market and everybody who takes part: two buyers, three settlers, five devices, four verifiers, a stranger.
/// @dev A task of TASK_WU costs about P. The contracts are deployed from their artifacts, so a change here compiles alone.
abstract contract World {
    uint128 internal constant P = 1e18;
    uint64 internal constant TASK_WU = 1e6;
    uint128 internal constant PRICE = 1_000e18 - 777_777_777_777; // wei for 1e9 WU; does not divide evenly
    uint24 internal constant FLOOR_PPM = 100_000;
    uint32 internal constant TASKS = 16; // of a job, one in each span
    uint128 internal constant S_MIN = 10 * P;
    uint128 internal constant SEAT_STAKE = 1_000 * P + 3;
    uint128 internal constant EPOCH_BOND = 1_000 * P;
    uint256 internal constant CHALLENGE_BOND = 1e16 + 1;
    uint40 internal constant GRACE = 120;
    uint40 internal constant CLAIM_TIME = 600;
    uint40 internal constant UNBONDING = 2_000;
    uint40 internal constant FAR = 100_000; // longer than everything
    address internal constant STRANGER = address(0x57A46E4);

    ERC20 public token;
    IBeacon public beacon;
    ISeats public seats;
    IStakeVault public vault;
    IProgramRegistry public programs;
    IJobEscrow public escrow;
    IEpochLedger public ledger;
    IAttestations public attestations;
    IPanel public panel;

    bytes32 internal programId;
    uint256[] internal buyers; // keys, as all of these
    uint256[] internal settlers;
    uint256[] internal devices;
    uint256[] internal owners; // of the devices
    uint256[] internal verifiers;

    function _createWorld() internal {
        VM.warp(1_800_000_000);
        VM.roll(1_000);
        _deploy();
        programId = programs.register(
            Program(1, bytes32("original"), bytes32("rewritten"), 0, bytes32("memory"), 4 * TASK_WU, 2, 65_536, 1)
        );
        for (uint256 i; i < 2; ++i) buyers.push(_person("buyer", i));
        for (uint256 i; i < 3; ++i) settlers.push(_person("settler", i));
        for (uint256 i; i < 4; ++i) verifiers.push(_person("verifier", i));
        for (uint256 i; i < 5; ++i) {
            devices.push(_key("device", i));
            owners.push(_person("owner", i));
        }
        VM.deal(STRANGER, 1e24);
        _enter();
    }

    /// @dev Stakes: 300 P, 100 P, 9 P (below the minimum), none; the last device is bound to nobody. The second verifier's
    /// seats belong to the first device's owner.
    function _enter() private {
        for (uint256 i; i < buyers.length; ++i) _as(_who(buyers[i]), address(escrow), abi.encodeCall(escrow.deposit, (5_000 * P)));
        for (uint256 i; i < settlers.length; ++i) {
            _as(_who(settlers[i]), address(seats), abi.encodeCall(seats.depositBond, (5_000 * P, uint24(10_000 * i))));
        }
        uint128[4] memory stakes = [300 * P, 100 * P, 9 * P, 0];
        for (uint256 i; i < 4; ++i) {
            _bind(devices[i], owners[i]);
            if (stakes[i] != 0) _as(_who(owners[i]), address(vault), abi.encodeCall(vault.stake, (_who(devices[i]), stakes[i])));
        }
        for (uint256 i; i < verifiers.length; ++i) {
            address owner = i == 1 ? _who(owners[0]) : _who(verifiers[i]);
            _as(_who(verifiers[i]), address(seats), abi.encodeCall(seats.join, (uint32(i == 0 ? 3 : 2), owner)));
        }
    }

    function _bind(uint256 device, uint256 owner) internal {
        bytes32 digest = escrow.digestOf(Messages.bindingHash(_who(device), _who(owner)));
        vault.bind(_who(device), _who(owner), _sign(device, digest), _sign(owner, digest));
    }

    function _deploy() private {
        uint64 nonce = VM.getNonce(address(this));
        token = ERC20(VM.computeCreateAddress(address(this), nonce));
        beacon = IBeacon(VM.computeCreateAddress(address(this), nonce + 1));
        seats = ISeats(VM.computeCreateAddress(address(this), nonce + 2));
        vault = IStakeVault(VM.computeCreateAddress(address(this), nonce + 3));
        programs = IProgramRegistry(VM.computeCreateAddress(address(this), nonce + 4));
        escrow = IJobEscrow(VM.computeCreateAddress(address(this), nonce + 5));
        ledger = IEpochLedger(VM.computeCreateAddress(address(this), nonce + 6));
        attestations = IAttestations(VM.computeCreateAddress(address(this), nonce + 7));
        panel = IPanel(VM.computeCreateAddress(address(this), nonce + 8));
        uint40 path = 60 + 30 + 30 + 60 + 2 * (60 + 30 + 30) + 30;
        _create("MultitudeToken", abi.encode(address(this)), address(token));
        _create("BlockBeacon", abi.encode(uint64(2)), address(beacon));
        _create(
            "Seats",
            abi.encode(token, ledger, attestations, panel, SeatsParameters(SEAT_STAKE, EPOCH_BOND, 300, UNBONDING, path)),
            address(seats)
        );
        _create("StakeVault", abi.encode(token, escrow, ledger, panel, VaultParameters(S_MIN, UNBONDING, path)), address(vault));
        _create("ProgramRegistry", abi.encode(beacon, seats, uint40(300)), address(programs));
        _create("JobEscrow", abi.encode(token, programs, seats, ledger, GRACE), address(escrow));
        _create(
            "EpochLedger",
            abi.encode(LedgerLinks(escrow, seats, vault, attestations, panel), LedgerLimits(CLAIM_TIME, 100 * TASK_WU)),
            address(ledger)
        );
        _create(
            "Attestations",
            abi.encode(AttestationLinks(ledger, escrow, seats, vault, beacon), AttestationClocks(60, 30, 30, 60)),
            address(attestations)
        );
        _create(
            "Panel",
            abi.encode(
                PanelLinks(ledger, attestations, escrow, seats, vault, beacon),
                PanelTerms(60, 30, 30, 30, uint128(CHALLENGE_BOND))
            ),
            address(panel)
        );
    }

    function _create(string memory name, bytes memory arguments, address at) private {
        require(VM.deployCode(string.concat(name, ".sol:", name), arguments) == at, name);
    }

    // --- people

    function _key(string memory role, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(role, i))) >> 8;
    }

    /// @dev Someone with tokens and native coin.
    function _person(string memory role, uint256 i) private returns (uint256 key) {
        key = _key(role, i);
        address who = _who(key);
        VM.deal(who, 1e24);
        token.transfer(who, 100_000 * P);
        address[3] memory spenders = [address(seats), address(vault), address(escrow)];
        for (uint256 j; j < 3; ++j) _as(who, address(token), abi.encodeCall(token.approve, (spenders[j], type(uint256).max)));
    }

    function _who(uint256 key) internal pure returns (address) {
        return VM.addr(key);
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Calls as `who` with native coin; passes the reason of a revert on.
    function _pay(address who, uint256 value, address target, bytes memory data) internal returns (bytes memory answer) {
        bool ok;
        VM.prank(who);
        (ok, answer) = target.call{value: value}(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    function _as(address who, address target, bytes memory data) internal returns (bytes memory) {
        return _pay(who, 0, target, data);
    }

    /// @dev Calls as `who`; false when it reverts.
    function _try(address who, address target, bytes memory data) internal returns (bool ok) {
        VM.prank(who);
        (ok,) = target.call(data);
    }

    function _pass(uint256 seconds_) internal {
        VM.warp(VM.getBlockTimestamp() + seconds_);
        VM.roll(VM.getBlockNumber() + 1 + seconds_ / 12);
    }

    // --- orders

    function _bid(uint256 buyer, address settler, uint128 budget, uint40 deadline, uint256 salt) internal view returns (Bid memory) {
        return Bid({
            buyer: _who(buyer),
            programId: programId,
            inputsRoot: bytes32("inputs"),
            manifest: bytes32("manifest"),
            taskCount: TASKS,
            spanTasks: 1,
            taskLimitWU: 2 * TASK_WU,
            maxOutputBytes: 1024,
            maxPriceWeiPerGWU: PRICE,
            budget: budget,
            rateFloorPpm: salt % 2 == 0 ? 1_000_000 : FLOOR_PPM, // every task is replayed, or a tenth
            minStake: 0,
            deadline: deadline,
            settler: settler,
            maxFeePpm: 30_000,
            salt: bytes32(salt)
        });
    }

    function _jobId(Bid memory bid) internal pure returns (bytes32) {
        return keccak256(abi.encode(Messages.BID_TYPEHASH, bid));
    }
}
