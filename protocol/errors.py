"""The errors of the protocol.

ProtocolError
├── EncodingInvalid     a value outside its type: a number out of range, bytes of the wrong length, malformed JSON
├── SignatureInvalid    65 bytes that are no signature, a high s, or a signature of somebody else
├── TreeInvalid         no leaves, an index outside the tree, sums past their type
├── ProofInvalid        a proof of the wrong length or of another root
├── SpansInvalid        spans outside the job, repeated, or a bitmap that is not in its one canonical form
├── MoneyInvalid        a leaf that no claim would accept: amount, WU or count past its limit
├── DrawInvalid         a draw over tasks that are not the receipt's
├── VerdictsInvalid     verdicts and digests that do not belong together
├── ManifestInvalid     a manifest blob that is malformed, too large, or of other inputs
├── EpochDataInvalid    an epoch's data blob that contradicts itself, its signatures or its posting
├── OutputBlobInvalid   an output blob that is malformed or of other tasks
└── ModuleRefused       a module that is not admitted (in `protocol.wasm`)
"""


class ProtocolError(Exception):
    """Root of everything that this package raises on bad data. `reason` is a sentence for the one who sent it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EncodingInvalid(ProtocolError):
    """A value does not fit its type."""


class SignatureInvalid(ProtocolError):
    """A signature is malformed or is not the signature that was asked for."""


class TreeInvalid(ProtocolError):
    """A tree cannot be built from these leaves, or has no such leaf."""


class ProofInvalid(ProtocolError):
    """A proof has the wrong length or does not lead to the root."""


class SpansInvalid(ProtocolError):
    """Spans are repeated, outside the job, or not in canonical form."""


class MoneyInvalid(ProtocolError):
    """A leaf asks for what no claim accepts."""


class DrawInvalid(ProtocolError):
    """A draw cannot be made."""


class VerdictsInvalid(ProtocolError):
    """Verdicts and digests do not belong together."""


class ManifestInvalid(ProtocolError):
    """A manifest blob is malformed or does not belong to the bid."""


class EpochDataInvalid(ProtocolError):
    """An epoch's data blob is malformed or contradicts itself."""


class OutputBlobInvalid(ProtocolError):
    """An output blob is malformed."""
