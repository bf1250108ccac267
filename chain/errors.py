"""The errors of this package.

ChainError
├── DeploymentInvalid    a deployment file that is missing or malformed, a contract that it does not name
├── AbiUnknown           a contract, function or event without an entry in `chain/abi`
├── RpcFailed            the node did not answer, or answered that it cannot
│   └── ReorgDuringRead  the chain changed between two reads that belong together: read again
├── ContractReverted     a call or an estimate reverted; carries the custom error
└── OutboxInvalid        an outbox row that is not there, or that says something else under the same purpose and id
"""


class ChainError(Exception):
    """Root of everything that this package raises."""


class DeploymentInvalid(ChainError):
    """The deployment file does not say what is asked of it."""


class AbiUnknown(ChainError):
    """No ABI describes this."""


class RpcFailed(ChainError):
    """The node did not answer as it should."""


class ReorgDuringRead(RpcFailed):
    """The chain changed while it was read."""


class ContractReverted(ChainError):
    """A call reverted. `name` is the custom error's ("Error" and "Panic" for Solidity's own, "" where no data came)."""

    def __init__(self, name: str, args: tuple[object, ...] = (), data: bytes = b"") -> None:
        self.name = name
        self.values = args
        self.data = data
        super().__init__(f"{name or 'reverted'}({', '.join(_shown(value) for value in args)})")


class OutboxInvalid(ChainError):
    """The outbox holds no such row, or another one under this purpose and id."""


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
