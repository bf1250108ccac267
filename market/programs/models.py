"""The table of programs."""

from sqlalchemy import BigInteger, Identity, String
from sqlalchemy.orm import Mapped, mapped_column

from market.db import Amount, Base, Bytes32
from protocol.encoding import from_hex
from protocol.program import ProgramFacts


class Program(Base):
    """An admitted program; `state` is registering or registered."""

    __tablename__ = "programs"

    program_id: Mapped[Bytes32] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    assurance: Mapped[int]
    original_hash: Mapped[Bytes32]
    rewritten_hash: Mapped[Bytes32]
    code_root: Mapped[Bytes32]
    initial_memory_root: Mapped[Bytes32]
    limit_wu: Mapped[Amount]
    memory_pages: Mapped[int]
    frame_bytes: Mapped[int]
    tool_version: Mapped[int]
    name: Mapped[str | None] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(16))
    attested: Mapped[bool] = mapped_column(default=False)

    @property
    def facts(self) -> ProgramFacts:
        """What the program's id commits to."""
        return ProgramFacts(
            assurance=self.assurance,
            original_hash=from_hex(self.original_hash, 32),
            rewritten_hash=from_hex(self.rewritten_hash, 32),
            code_root=from_hex(self.code_root, 32),
            initial_memory_root=from_hex(self.initial_memory_root, 32),
            limit_wu=self.limit_wu,
            memory_pages=self.memory_pages,
            frame_bytes=self.frame_bytes,
            tool_version=self.tool_version,
        )
