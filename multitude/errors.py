"""The errors of the SDK.

MultitudeError
├── ApiUnreachable           the market does not answer, or not in time
├── ApiHostile               an address or an answer outside the bounds that this client keeps
├── ApiRefused               the market answered with a problem; `code` is stable, `detail` a sentence
│   ├── NoCapacity           no device that may run this program is there now
│   ├── ProgramUnknown       the market knows no such program
│   ├── ProgramRefused       the module or its registration is not accepted; `faults` list what is wrong with a module
│   ├── InputsRefused        an input or the manifest is missing, or a sample of the inputs does not run
│   ├── NotSignedIn          the call is for signed-in people, or the signature is not accepted
│   └── RateLimited          too many calls; the client has waited and tried again before it says so
├── CapExceeded              the budget that a job needs is above the caller's cap; nothing was signed
├── BalanceTooLow            the escrow, or with `deposit` the account, holds less than is needed
├── AccountIsContract        a contract account must send this transaction itself: `calls` says which
├── JobFailed                the job cannot end well any more
│   ├── JobCancelled         it was cancelled by its buyer with tasks undone
│   ├── DeadlinePassed       its deadline passed with tasks undone
│   └── TaskTrapped          a task has no output: a trap, its work limit, or too long an output
├── JobTimedOut              the job was not done in the time given; it goes on
├── ResultsInvalid           what was handed out is not what was settled on chain
├── WebhookInvalid           a webhook that this secret did not sign, or an old one
├── FunctionRefused          an adapter was handed something else than a Program over one input
├── NoChain                  the client was made without rpc_url and is asked something about the chain
└── NetworkUnknown           no address or key is given, and no local network is up

Errors of the chain itself come as `chain.errors.ChainError`, of the audit commands as `multitude.audit.errors`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.wasm.errors import Fault
from protocol.wasm.faults import MAX_FAULTS
from protocol.wasm.reader import shown

_MESSAGE_MAX = 400


class MultitudeError(Exception):
    """Root of everything that this package raises."""


class ApiUnreachable(MultitudeError):
    """The market does not answer."""


class ApiHostile(MultitudeError):
    """The market's address or answer is outside the bounds that this client keeps."""


class ApiRefused(MultitudeError):
    """The market refused. `members` are the problem's other members."""

    def __init__(self, status: int, code: str, detail: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code} ({status}): {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.members = dict(members or {})


class NoCapacity(ApiRefused):
    """No device that may run this program is there now."""


class ProgramUnknown(ApiRefused):
    """The market knows no such program."""


class ProgramRefused(ApiRefused):
    """The module or its registration is not accepted."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with the module and where, as far as the market lists it; empty for another reason.

        The texts are the market's, cut and printable; `Fault.name` is set where it names a function.
        """
        listed = self.members.get("faults")
        made = (_fault_of(value) for value in listed[:MAX_FAULTS]) if isinstance(listed, list) else ()
        return tuple(fault for fault in made if fault is not None)


def _fault_of(value: object) -> Fault | None:
    """A fault out of a problem's JSON, None where it is none."""
    match value:
        case {"cause": str(cause), "offset": int(offset), "message": str(message), "function": function}:
            index = function if isinstance(function, int) else None
            name = shown(function) if isinstance(function, str) else None
            return Fault(shown(cause), offset, shown(message, _MESSAGE_MAX), index, name)
    return None


class InputsRefused(ApiRefused):
    """An input or the manifest is missing, or a sample of the inputs does not run."""


class NotSignedIn(ApiRefused):
    """The call is for signed-in people, or the signature is not accepted."""


class RateLimited(ApiRefused):
    """Too many calls."""


REFUSALS: Mapping[str, type[ApiRefused]] = {
    "no_capacity": NoCapacity,
    "program_unknown": ProgramUnknown,
    "program_refused": ProgramRefused,
    "module_refused": ProgramRefused,
    "manifest_missing": InputsRefused,
    "manifest_invalid": InputsRefused,
    "input_missing": InputsRefused,
    "quote_failed": InputsRefused,
    "unauthorized": NotSignedIn,
    "session_expired": NotSignedIn,
    "nonce_unknown": NotSignedIn,
    "sign_in_expired": NotSignedIn,
    "sign_in_mismatch": NotSignedIn,
    "signature_invalid": NotSignedIn,
    "rate_limited": RateLimited,
}
"""The error of each problem code; every other code is a plain ApiRefused."""


def refusal(status: int, code: str, detail: str, members: Mapping[str, Any] | None = None) -> ApiRefused:
    """The error of a problem."""
    return REFUSALS.get(code, ApiRefused)(status, code, detail, members)


class CapExceeded(MultitudeError):
    """The budget that a job needs is above the caller's cap; wei."""

    def __init__(self, needed: int, cap: int) -> None:
        super().__init__(f"the job needs a budget of {needed} wei, above the cap of {cap}")
        self.needed = needed
        self.cap = cap


class BalanceTooLow(MultitudeError):
    """Less is there than is needed; wei."""

    def __init__(self, needed: int, got: int, where: str) -> None:
        super().__init__(f"{where} holds {got} wei, {needed} are needed")
        self.needed = needed
        self.got = got


class AccountIsContract(MultitudeError):
    """A contract account must send this itself. `calls` are (address, calldata) in their order."""

    def __init__(self, account: str, calls: Sequence[tuple[str, bytes]]) -> None:
        super().__init__(
            f"{account} is a contract: send these calls from it: {[(to, '0x' + d.hex()) for to, d in calls]}"
        )
        self.calls = list(calls)


class JobFailed(MultitudeError):
    """The job cannot end well any more."""


class JobCancelled(JobFailed):
    """The job was cancelled by its buyer with tasks undone."""


class DeadlinePassed(JobFailed):
    """The job's deadline passed with tasks undone."""


class TaskTrapped(JobFailed):
    """A task ended without an output, as it does on every device: a trap, its work limit, or too long an output."""

    def __init__(self, task: int, status: int, how: str) -> None:
        super().__init__(f"task {task} ended with {how}: this input has no output")
        self.task = task
        self.status = status


class JobTimedOut(MultitudeError):
    """The job is not done yet."""


class ResultsInvalid(MultitudeError):
    """Results and settlement do not belong together."""


class WebhookInvalid(MultitudeError):
    """Not a webhook of this secret, or an old one."""


class FunctionRefused(MultitudeError):
    """Devices run programs on bytes: a Python function cannot be sent to them."""


class NoChain(MultitudeError):
    """No chain to ask."""


class NetworkUnknown(MultitudeError):
    """Nothing says where the market, the chain or the key is."""
