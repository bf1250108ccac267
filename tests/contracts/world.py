"""The whole market on the test chain: every contract, everybody who takes part, and what each contract owes.

A task of TASK_WU costs P at the bids' highest price; stakes are the local network's multiples of it. Clocks are long,
because the node's time goes on while a test runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import brownie

from deploy.contracts.deploy import deploy_market
from deploy.contracts.parameters import Parameters
from deploy.local.profiles import profile_named
from protocol.messages import Domain
from protocol.program import ProgramFacts
from protocol.sampling import Seat
from tests.contracts.chain import mine, now, rpc

P = 10**18
PRICE_WEI_PER_GWU = 1_000 * P
TASK_WU = 1_000_000
TASK_LIMIT_WU = 4 * TASK_WU
MAX_REPLAY_WU = 2_000 * TASK_WU

PARAMETERS = Parameters.of_profile(profile_named("local"), P).changed(
    {
        "max_replay_wu": MAX_REPLAY_WU,
        "seed_timeout_s": 400,
        "commit_s": 300,
        "reveal_s": 300,
        "window_s": 300,
        "claim_s": 10_000,
        "panel_draw_s": 400,
        "panel_commit_s": 300,
        "panel_reveal_s": 300,
        "panel_appeal_s": 300,
        "posting_grace_s": 1_000,
        "seat_period_s": 2_000,
        "unbonding_s": 20_000,
    }
)
CHALLENGE_BOND = PARAMETERS.challenge_bond_native_wei
SEAT_STAKE, EPOCH_BOND, SETTLER_BOND = (
    PARAMETERS.seat_stake_wei,
    PARAMETERS.epoch_bond_wei,
    PARAMETERS.settler_bond_wei,
)


class World:
    """Every contract as an attribute, and the lists that `check_conserved` adds up."""

    def __init__(self) -> None:
        self.deployer = brownie.accounts[0]
        market = deploy_market(self.deployer, PARAMETERS)
        self.token, self.beacon, self.seats, self.vault = market.token, market.beacon, market.seats, market.vault
        self.registry, self.escrow, self.ledger = market.programs, market.escrow, market.ledger
        self.attestations, self.panel = market.attestations, market.panel
        self.domain = Domain(brownie.chain.id, self.escrow.address)
        self.program_id = self._register_program()
        self.buyers: list[str] = []
        self.jobs: list[bytes] = []
        self.devices: list[str] = []
        self.verifiers: list[Any] = []
        self.settlers: list[Any] = []
        self.games: list[Any] = []
        self.epochs: list[Any] = []

    # --- people

    def give_tokens(self, account: Any, amount: int) -> None:
        """Tokens from the deployer, who holds the supply, a little native coin, and the account's approvals."""
        self.deployer.transfer(account, 10**18)
        self.token.transfer(account, amount, {"from": self.deployer})
        for spender in (self.seats, self.vault, self.escrow):
            self.token.approve(spender, 2**256 - 1, {"from": account})

    def seat_list(self, snapshot: int) -> list[Seat]:
        """The seats of a snapshot as the draws take them."""
        return [Seat(str(verifier), str(owner)) for verifier, owner in self.seats.seatsIn(snapshot)]

    # --- chance

    def mine_until(self, holds: Callable[[], bool], blocks: int = PARAMETERS.beacon_delay_blocks + 1) -> None:
        """Mines the beacon's round, again and again with other hashes, until `holds`."""
        start = now()
        for attempt in range(300):
            snapshot = rpc("evm_snapshot")
            rpc("evm_setNextBlockTimestamp", start + 1 + attempt % 3)
            rpc("anvil_setCoinbase", "0x" + f"{attempt + 1:040x}")
            mine(blocks)
            if holds():
                return
            rpc("evm_revert", snapshot)
        raise AssertionError("no such draw in 300 attempts")

    # --- what the contracts owe

    def check_conserved(self) -> None:
        """Fails unless each contract's balance is the sum of what it owes, in tokens and in native coin."""
        assert self.token.balanceOf(self.escrow) == self._escrow_owes()
        assert self.token.balanceOf(self.vault) == self._vault_owes()
        assert self.token.balanceOf(self.seats) == self._seats_owe()
        assert self.panel.balance() == self._panel_owes()
        for contract in (self.ledger, self.attestations, self.panel, self.registry):
            assert self.token.balanceOf(contract) == 0, contract
        debited = sum(self.escrow.jobOf(job)["debited"] for job in self.jobs)
        assert debited == sum(self.ledger.outstanding(epoch.id, i)[0] for epoch in self.epochs for i in epoch.indices)

    def _escrow_owes(self) -> int:
        jobs = [self.escrow.jobOf(job) for job in self.jobs]
        owners = {str(self.vault.deviceOf(device)["owner"]) for device in self.devices}
        accounts = owners | {*self.buyers} | {who.address for who in (*self.verifiers, *self.settlers)}
        return sum(self.escrow.balanceOf(account) for account in accounts) + sum(
            job["available"] + job["debited"] for job in jobs
        )

    def _vault_owes(self) -> int:
        devices = [self.vault.deviceOf(device) for device in self.devices]
        return sum(device["stake"] + device["unbonding"] for device in devices)

    def _seats_owe(self) -> int:
        verifiers = [self.seats.verifierOf(verifier.address) for verifier in self.verifiers]
        settlers = [self.seats.settlerOf(settler.address) for settler in self.settlers]
        people = {who.address for who in (*self.verifiers, *self.settlers)} | self._openers()
        return (
            sum(verifier["seats"] * SEAT_STAKE + verifier["unbonding"] for verifier in verifiers)
            + sum(settler["bond"] + settler["unbonding"] for settler in settlers)
            + sum(self.seats.earned(account) for account in people)
        )

    def _panel_owes(self) -> int:
        accounts = {who.address for who in (*self.verifiers, *self.settlers)} | self._openers()
        locked = sum(sum(game.bonds.values()) for game in self.games if not game.resolved)
        return locked + sum(self.panel.owed(account) for account in accounts)

    def _openers(self) -> set[str]:
        return {account for game in self.games for account in game.bonds}

    def _register_program(self) -> bytes:
        struct = (1, b"\x01" * 32, b"\x02" * 32, bytes(32), b"\x03" * 32, TASK_LIMIT_WU, 2, 65_536, 1)
        self.registry.register(struct, {"from": self.deployer})
        return ProgramFacts(*struct).program_id
