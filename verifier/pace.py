"""Pacing of work that a stranger can cause, so that it cannot keep a verifier from its own draws. Pure."""

from collections.abc import Sequence

_LOOKS_MAX = 512


class Pace:
    """Lets one piece of work through in each look, and the same piece again only after ever more looks."""

    def __init__(self) -> None:
        self._look = 0
        self._taken = False
        self._next: dict[bytes, tuple[int, int]] = {}

    def begin_look(self) -> None:
        """A new look at the chain: one more piece may be taken."""
        self._look += 1
        self._taken = False

    def take(self, key: bytes) -> bool:
        """True when the piece is due and this look has room for it; its pause doubles."""
        due, pause = self._next.get(key, (0, 1))
        if self._taken or self._look < due:
            return False
        self._taken = True
        self._next[key] = (self._look + pause, min(2 * pause, _LOOKS_MAX))
        return True


def window(items: Sequence[bytes], look: int, size: int) -> list[bytes]:
    """The `size` items whose turn it is: look after look, everyone has one."""
    if len(items) <= size:
        return list(items)
    start = look * size % len(items)
    return [items[(start + offset) % len(items)] for offset in range(size)]
