"""What keeps an audit from telling.

AuditError          exit status 2
├── BlobMissing     the store does not have the blob, or serves other bytes
├── EpochUnknown    no such epoch, or no such task in it
├── SourceMissing   no RPC address, deployment or file to read from
└── CompilerFailed  the contracts cannot be rebuilt here
"""

from multitude.errors import MultitudeError


class AuditError(MultitudeError):
    """Root of what this package raises: the audit cannot tell."""


class BlobMissing(AuditError):
    """A blob cannot be had."""


class EpochUnknown(AuditError):
    """The chain has no such epoch, or the epoch no such task."""


class SourceMissing(AuditError):
    """Nothing says where to read."""


class CompilerFailed(AuditError):
    """The contracts cannot be rebuilt."""
