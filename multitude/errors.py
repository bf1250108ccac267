"""The errors of the SDK.

MultitudeError
├── ApiUnreachable   the market does not answer
├── ApiRefused       the market answered with a problem; `code` is stable, `detail` a sentence
├── JobFailed        the job was refused by the chain, or closed with tasks undone
├── JobTimedOut      the job was not done in the time given
├── ResultsInvalid   what was handed out is not what was settled on chain
└── NoChain          the client was made without rpc_url and is asked something about the chain

Errors of the chain itself come as `chain.errors.ChainError`.
"""


class MultitudeError(Exception):
    """Root of everything that this package raises."""


class ApiUnreachable(MultitudeError):
    """The market does not answer."""


class ApiRefused(MultitudeError):
    """The market refused."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code} ({status}): {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class JobFailed(MultitudeError):
    """The job cannot end well any more."""


class JobTimedOut(MultitudeError):
    """The job is not done yet."""


class ResultsInvalid(MultitudeError):
    """Results and settlement do not belong together."""


class NoChain(MultitudeError):
    """No chain to ask."""
