"""The digest of the state that a task leaves behind, which only running it yields.

stateDigest = keccak256 of, in this order:

* 1 byte: the status (protocol.merkle.Status);
* for each block of 4,096 bytes of the linear memory that is not all zero, in rising order: its index as 4 bytes
  (big-endian), its bytes; then 4 bytes 0xff. Blocks are left out where the program trapped by itself: some CPUs may
  tear the store that traps at the memory's end;
* each mutable global of the original module in the order of their indices, then the counted pages of memory: 8 bytes
  each (big-endian), an i32 zero-extended.
"""

import ctypes
from collections.abc import Iterator, Sequence

from protocol.hashing import keccak256
from protocol.merkle import Status

BLOCK_BYTES = 4_096
_STRIDE_BYTES = 65_536
_ZERO_BLOCK = bytes(BLOCK_BYTES)
_ZERO_STRIDE = bytes(_STRIDE_BYTES)
_END = b"\xff\xff\xff\xff"


def state_preimage(status: Status, memory: tuple[int, int] | None, globals_: Sequence[int]) -> bytes:
    """The bytes that the digest is of. `memory` is (address, length in bytes, whole pages), or None to leave it out."""
    blocks = b"".join(_blocks(*memory)) if memory else b""
    numbers = b"".join(value.to_bytes(8, "big") for value in globals_)
    return bytes([status]) + blocks + _END + numbers


def state_digest(status: Status, memory: tuple[int, int] | None, globals_: Sequence[int]) -> bytes:
    """The digest. `globals_` are unsigned values."""
    return keccak256(state_preimage(status, memory, globals_))


def _blocks(address: int, length: int) -> Iterator[bytes]:
    """The blocks that are not zero, each behind its index."""
    for start in range(0, length, _STRIDE_BYTES):
        stride = ctypes.string_at(address + start, min(_STRIDE_BYTES, length - start))
        if stride == _ZERO_STRIDE:
            continue
        for offset in range(0, len(stride), BLOCK_BYTES):
            block = stride[offset : offset + BLOCK_BYTES]
            if block != _ZERO_BLOCK:
                yield ((start + offset) // BLOCK_BYTES).to_bytes(4, "big") + block
