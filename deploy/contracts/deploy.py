"""Deploys the market: `brownie run deploy --network target` (see deploy.toolchain.brownie).

Environment: MULTITUDE_DEPLOYER_KEY (0x-hex; the node's first account where there is none), MULTITUDE_DEPLOYMENT (the
file to write, else deploy/addresses/<chain id>.json), MULTITUDE_PROFILE and MULTITUDE_PARAMETERS (see parameters).

Contracts refer to each other by immutables, in circles too: each address follows from the deployer and its nonce, so
all are known before the first is deployed. Afterwards every address and every reference is compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brownie

from deploy.contracts.parameters import Parameters, profile_of

ORDER = (
    "MultitudeToken",
    "Faucet",
    "BlockBeacon",
    "Seats",
    "StakeVault",
    "ProgramRegistry",
    "JobEscrow",
    "EpochLedger",
    "Attestations",
    "Panel",
)
"""The contracts in the order in which they are deployed, one nonce each."""

REFERENCES = {
    "token": "MultitudeToken",
    "beacon": "BlockBeacon",
    "seats": "Seats",
    "vault": "StakeVault",
    "programs": "ProgramRegistry",
    "escrow": "JobEscrow",
    "ledger": "EpochLedger",
    "attestations": "Attestations",
    "panel": "Panel",
    "disputes": "Panel",
}
"""The contract that a getter of this name leads to, wherever there is one."""

FAUCET_PART = 10
"""The faucet holds a tenth of the supply."""


class WiringError(RuntimeError):
    """Raised when a contract is not where it was computed to be, or refers to another one than it should."""


@dataclass(frozen=True)
class Market:
    """The deployed contracts by name, the block of the first, and what they were deployed with."""

    contracts: Mapping[str, Any]
    deploy_block: int
    parameters: Parameters

    def __getattr__(self, name: str) -> Any:
        contracts: Mapping[str, Any] = self.__dict__["contracts"]
        if name in REFERENCES:
            return contracts[REFERENCES[name]]
        raise AttributeError(name)

    def to_json(self) -> dict[str, Any]:
        """What is written for everything off chain."""
        return {
            "chain_id": brownie.web3.eth.chain_id,
            "deploy_block": self.deploy_block,
            "contracts": {name: contract.address for name, contract in self.contracts.items()},
            "clocks": self.parameters.clocks(),
            "parameters": self.parameters.amounts(),
        }


def constructor_arguments(name: str, deployer: str, at: Mapping[str, str], given: Parameters) -> tuple[Any, ...]:
    """Arguments of one contract's constructor, `at` being the addresses of all."""
    token, seats, vault, escrow = at["MultitudeToken"], at["Seats"], at["StakeVault"], at["JobEscrow"]
    ledger, attestations, panel, beacon = at["EpochLedger"], at["Attestations"], at["Panel"], at["BlockBeacon"]
    bonds = (given.seat_stake_wei, given.epoch_bond_wei)
    stays = (given.unbonding_s, given.conviction_path_s)
    panel_clocks = (given.panel_draw_s, given.panel_commit_s, given.panel_reveal_s, given.panel_appeal_s)
    arguments: dict[str, tuple[Any, ...]] = {
        "MultitudeToken": (deployer,),
        "Faucet": (token, given.faucet_wei, given.faucet_cooldown_s),
        "BlockBeacon": (given.beacon_delay_blocks,),
        "Seats": (token, ledger, attestations, panel, (*bonds, given.seat_period_s, *stays)),
        "StakeVault": (token, escrow, ledger, panel, (given.minimum_stake_wei, *stays)),
        "ProgramRegistry": (beacon, seats, given.seat_period_s),
        "JobEscrow": (token, at["ProgramRegistry"], seats, ledger, given.posting_grace_s),
        "EpochLedger": ((escrow, seats, vault, attestations, panel), (given.claim_s, given.max_replay_wu)),
        "Attestations": (
            (ledger, escrow, seats, vault, beacon),
            (given.seed_timeout_s, given.commit_s, given.reveal_s, given.window_s),
        ),
        "Panel": (
            (ledger, attestations, escrow, seats, vault, beacon),
            (*panel_clocks, given.challenge_bond_native_wei),
        ),
    }
    return arguments[name]


def deploy_market(deployer: Any, parameters: Parameters) -> Market:
    """Deploys all contracts and funds the faucet. Raises WiringError."""
    at = {name: deployer.get_deployment_address(deployer.nonce + i) for i, name in enumerate(ORDER)}
    contracts: dict[str, Any] = {}
    for name in ORDER:
        arguments = constructor_arguments(name, deployer.address, at, parameters)
        contracts[name] = deployer.deploy(getattr(brownie, name), *arguments)
        if contracts[name].address != at[name]:
            raise WiringError(f"{name} is at {contracts[name].address}, not at {at[name]}")
    check_references(contracts)
    token = contracts["MultitudeToken"]
    token.transfer(contracts["Faucet"], token.totalSupply() // FAUCET_PART, {"from": deployer})
    return Market(contracts, contracts[ORDER[0]].tx.block_number, parameters)


def check_references(contracts: Mapping[str, Any]) -> None:
    """WiringError where a contract's getter leads elsewhere than to the contract of that name."""
    for name, contract in contracts.items():
        getters = {item["name"] for item in contract.abi if item["type"] == "function" and not item["inputs"]}
        for getter in sorted(getters & REFERENCES.keys()):
            found, wanted = getattr(contract, getter)(), contracts[REFERENCES[getter]].address
            if found != wanted:
                raise WiringError(f"{name}.{getter} is {found}, not {wanted}")


def main() -> None:
    """Deploys to the connected network and writes where everything is."""
    key = os.environ.get("MULTITUDE_DEPLOYER_KEY")
    deployer = brownie.accounts.add(key) if key else brownie.accounts[0]
    market = deploy_market(deployer, Parameters.from_environment(os.environ))
    document = market.to_json()
    document["clocks"] = profile_of(os.environ).whole_clocks() | document["clocks"]
    default = Path("deploy") / "addresses" / f"{document['chain_id']}.json"
    path = Path(os.environ.get("MULTITUDE_DEPLOYMENT") or default)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"deployed {len(market.contracts)} contracts to chain {document['chain_id']}: {path}")
