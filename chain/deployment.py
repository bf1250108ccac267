"""Where the contracts are: the file that the deploy script writes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from chain.errors import DeploymentInvalid
from protocol.encoding import checksum_address
from protocol.errors import EncodingInvalid
from protocol.messages import Domain

VARIABLE = "MULTITUDE_DEPLOYMENT"
"""The environment variable that names the file."""


@dataclass(frozen=True)
class Deployment:
    """One deployment on one chain.

    `contracts` maps a contract's name to its checksummed address, `clocks` a clock's name to seconds, `parameters`
    the constructors' other values to what the deploy script wrote. Events are read from `deploy_block` on.
    """

    chain_id: int
    deploy_block: int
    contracts: Mapping[str, str]
    clocks: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a deployment file. Raises DeploymentInvalid."""
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError) as error:
            raise DeploymentInvalid(f"{path}: {error}") from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the file that MULTITUDE_DEPLOYMENT names. Raises DeploymentInvalid."""
        if not environment.get(VARIABLE):
            raise DeploymentInvalid(f"{VARIABLE} is not set")
        return cls.load(environment[VARIABLE])

    @classmethod
    def from_json(cls, value: object) -> Self:
        """The deployment of its JSON form. Raises DeploymentInvalid."""
        if not isinstance(value, dict):
            raise DeploymentInvalid("a deployment is an object")
        try:
            return cls(
                chain_id=int(value["chain_id"]),
                deploy_block=int(value["deploy_block"]),
                contracts={str(name): checksum_address(address) for name, address in value["contracts"].items()},
                clocks={str(name): int(seconds) for name, seconds in value.get("clocks", {}).items()},
                parameters=dict(value.get("parameters", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError, EncodingInvalid) as error:
            raise DeploymentInvalid(f"malformed deployment: {error!r}") from None

    def to_json(self) -> dict[str, Any]:
        """The form that `load` reads."""
        return {
            "chain_id": self.chain_id,
            "deploy_block": self.deploy_block,
            "contracts": dict(self.contracts),
            "clocks": dict(self.clocks),
            "parameters": dict(self.parameters),
        }

    def address(self, contract: str) -> str:
        """The address of a contract. Raises DeploymentInvalid."""
        try:
            return self.contracts[contract]
        except KeyError:
            raise DeploymentInvalid(f"no {contract} on chain {self.chain_id}") from None

    @cached_property
    def names(self) -> dict[str, str]:
        """Contract names by checksummed address."""
        return {address: name for name, address in self.contracts.items()}

    @cached_property
    def domain(self) -> Domain:
        """The EIP-712 domain of this deployment's messages."""
        return Domain(self.chain_id, self.address("JobEscrow"))
