"""The identity of a program (section 3)."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from protocol.encoding import check_bytes32, check_uint, words_of
from protocol.errors import EncodingInvalid
from protocol.hashing import keccak256


class Assurance(IntEnum):
    """Who judges a dispute over a program: the EVM alone, or a panel of seats."""

    PROVABLE = 1
    REPLAYABLE = 2


@dataclass(frozen=True)
class ProgramFacts:
    """All that a program id commits to, in the order of `abi.encode`. Limits in WU, 64 KiB pages and bytes."""

    assurance: int
    original_hash: bytes
    rewritten_hash: bytes
    code_root: bytes
    initial_memory_root: bytes
    limit_wu: int
    memory_pages: int
    frame_bytes: int
    tool_version: int

    def __post_init__(self) -> None:
        if check_uint(self.assurance, 8, "class") not in tuple(Assurance):
            raise EncodingInvalid(f"class {self.assurance} is unknown")
        for name in ("original_hash", "rewritten_hash", "code_root", "initial_memory_root"):
            check_bytes32(getattr(self, name), name)
        check_uint(self.limit_wu, 64, "limitWU")
        for name in ("memory_pages", "frame_bytes", "tool_version"):
            check_uint(getattr(self, name), 32, name)

    @cached_property
    def program_id(self) -> bytes:
        """The program's name."""
        hashes = (self.original_hash, self.rewritten_hash, self.code_root, self.initial_memory_root)
        limits = (self.limit_wu, self.memory_pages, self.frame_bytes, self.tool_version)
        return keccak256(words_of((self.assurance, *hashes, *limits)))
