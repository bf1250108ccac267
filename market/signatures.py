"""Whether a digest was signed by an address: by its key, or as a contract says (EIP-1271)."""

from market.context import Context
from protocol.errors import SignatureInvalid
from protocol.signing import recover_digest


def is_signed_by(context: Context, digest: bytes, signature: bytes, signer: str) -> bool:
    """True when the key of `signer` signed the digest, or `signer` is a contract that takes the signature for its own.

    The chain is asked only where the signature is not that of the key; ChainError where it does not answer.
    """
    try:
        if recover_digest(digest, signature) == signer:
            return True
    except SignatureInvalid:
        pass  # a contract wallet's signature may be any bytes
    return context.chain.is_valid_signature(signer, digest, signature)
