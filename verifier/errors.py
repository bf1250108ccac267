"""Errors of a verifier.

VerifierError
├── SettingsInvalid     the settings cannot be used
├── BlobUnavailable     a blob cannot be had, or is not what its id says
├── EvidenceInvalid     an epoch's data is there but does not lead to what was posted
└── ProgramUnfit        a program is not what its id commits to
"""


class VerifierError(Exception):
    """Root of a verifier's errors."""


class SettingsInvalid(VerifierError):
    """The settings cannot be used."""


class BlobUnavailable(VerifierError):
    """A blob cannot be had, or is not what its id says."""


class EvidenceInvalid(VerifierError):
    """An epoch's data is there but does not lead to what was posted."""


class ProgramUnfit(VerifierError):
    """A program is not what its id commits to."""
