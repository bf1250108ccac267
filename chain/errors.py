"""The errors of this package.

ChainError
├── DeploymentInvalid               a deployment file that is missing or malformed, a contract that it does not name
├── AbiUnknown                      a contract, function or event without an entry in `chain/abi`
├── RpcFailed                       no node answered, or all answered that they cannot
│   ├── WrongChain                  the node is one of another chain
│   ├── ReorgDuringRead             the chain changed between two reads that belong together: read again
│   └── NodeRefused                 the node answered with an error
│       └── SendRefused             ... to a transaction
│           ├── AlreadyKnown        it has this very one
│           ├── NonceTooLow         another of the account was mined under this nonce
│           ├── NonceTooHigh        one before it is missing
│           ├── ReplacementUnderpriced   it has another under this nonce, and wants more for a new one
│           ├── FeeTooLow           less is offered than the block's base fee or the node's minimum
│           └── InsufficientFunds   the account cannot pay for it
├── ReorgTooDeep                    the chain changed deeper than we look back
├── ContractReverted                a call or an estimate reverted; carries the custom error
└── OutboxInvalid                   an outbox row that is not there, or that has not failed
"""


class ChainError(Exception):
    """Root of everything that this package raises."""


class DeploymentInvalid(ChainError):
    """The deployment file does not say what is asked of it."""


class AbiUnknown(ChainError):
    """No ABI describes this."""


class RpcFailed(ChainError):
    """The node did not answer as it should."""


class WrongChain(RpcFailed):
    """The node's chain is another than the deployment's."""


class ReorgDuringRead(RpcFailed):
    """The chain changed while it was read."""


class NodeRefused(RpcFailed):
    """The node answered with an error."""


class SendRefused(NodeRefused):
    """The node does not take this transaction."""


class AlreadyKnown(SendRefused):
    """The node has this very transaction."""


class NonceTooLow(SendRefused):
    """The account's nonce is past this one."""


class NonceTooHigh(SendRefused):
    """The node wants the nonces before this one first."""


class ReplacementUnderpriced(SendRefused):
    """Another transaction waits under this nonce, and this one does not pay enough to take its place."""


class FeeTooLow(SendRefused):
    """The fee is below what any transaction must pay now."""


class InsufficientFunds(SendRefused):
    """The account does not hold the value and the most that the gas may cost."""


class ReorgTooDeep(ChainError):
    """The chain shares no block with what was read of it, as far back as we look."""


class ContractReverted(ChainError):
    """A call reverted. `name` is the custom error's ("Error" and "Panic" for Solidity's own, "" where no data came)."""

    def __init__(self, name: str, args: tuple[object, ...] = (), data: bytes = b"") -> None:
        self.name = name
        self.values = args
        self.data = data
        super().__init__(f"{name or 'reverted'}({', '.join(_shown(value) for value in args)})")


class OutboxInvalid(ChainError):
    """The outbox holds no such row, or another one under this purpose and id."""


_REFUSALS: tuple[tuple[type[SendRefused], tuple[str, ...]], ...] = (
    (AlreadyKnown, ("already known", "already imported", "alreadyknown", "already in the pool")),
    (ReplacementUnderpriced, ("replacement transaction underpriced", "too low to replace", "not replace existing")),
    (ReplacementUnderpriced, ("replacementnotallowed", "replacement fee too low")),
    (NonceTooLow, ("nonce too low", "nonce is too low", "oldnonce", "nonce has already been used")),
    (NonceTooHigh, ("nonce too high", "nonce gap", "noncegap", "nonce is too high")),
    (InsufficientFunds, ("insufficient funds", "insufficientfunds", "insufficient balance", "upfront cost exceeds")),
    (FeeTooLow, ("less than block base fee", "transaction underpriced", "feetoolow", "gas price below")),
)
"""What geth, reth, anvil, Nethermind, Erigon and Besu say, in lower case; the first that fits names the error."""

SENDING = ("eth_sendRawTransaction", "eth_estimateGas")
"""Methods whose errors are about a transaction."""


def refusal(method: str, message: str) -> NodeRefused:
    """The error that a node's message means."""
    text = f"{method}: {message}"
    if method not in SENDING:
        return NodeRefused(text)
    said = message.lower()
    for kind, phrases in _REFUSALS:
        if any(phrase in said for phrase in phrases):
            return kind(text)
    return SendRefused(text)


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
