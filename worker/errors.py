"""The errors of a device.

WorkerError
├── SettingsInvalid       an option or an environment variable that cannot be used
├── KeyUnusable           a key file that is missing, open to others, malformed, or a wrong passphrase
├── SandboxUnusable       this machine cannot run a program in the sandbox
├── ChainUnusable         no RPC, another chain, contracts that are not those that were agreed to
├── MoneyRefused          a payment, stake or claim that cannot be made, with the reason
│   └── KeyElsewhere      it takes the owner's key, which is not on this machine
├── JournalBusy           another agent of the same device runs on this journal
├── JournalCorrupt        a journal that contradicts itself: nothing may be signed on it
├── LeaseRefused          a lease, bid, manifest, program or input that does not stand up to checking
├── MarketError
│   ├── MarketUnreachable no answer, or one that says "later"
│   ├── SessionRefused    the market does not know this session any more
│   └── MarketRefused     the market said no, with a stable code
└── IllegalTransition     a defect of this program: an event that the state has no answer to
"""


class WorkerError(Exception):
    """Root of everything that this package raises. `reason` is a sentence for the contributor."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SettingsInvalid(WorkerError):
    """An option or an environment variable cannot be used."""


class KeyUnusable(WorkerError):
    """A key cannot be read, or not safely."""


class SandboxUnusable(WorkerError):
    """This machine cannot run a program in the sandbox."""


class ChainUnusable(WorkerError):
    """The chain cannot be read, or is another than the settings were made for."""


class MoneyRefused(WorkerError):
    """A payment, stake or claim cannot be made."""


class KeyElsewhere(MoneyRefused):
    """The owner's key is not on this machine."""


class JournalBusy(WorkerError):
    """Another agent of the same device runs on this journal: two would sign against each other."""


class JournalCorrupt(WorkerError):
    """The journal contradicts itself."""


class LeaseRefused(WorkerError):
    """What a lease brought does not stand up to checking; nothing of it is run or signed."""


class MarketError(WorkerError):
    """Root of what comes of talking to a market."""


class MarketUnreachable(MarketError):
    """No answer, or one that says "later"; `retry_after_s` is the market's own wish, 0 if it has none."""

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class SessionRefused(MarketError):
    """The session has ended; a new one is to be opened."""


class MarketRefused(MarketError):
    """The market said no. `code` is the stable code of its problem+json, `period` set where it is period_closed."""

    def __init__(self, status: int, code: str, detail: str, period: int | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.period = period


class IllegalTransition(WorkerError):
    """An event came that the state has no answer to. The message tells the story that led here."""
