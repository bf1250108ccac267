"""Collecting everything that admission has against a module, in bounded memory."""

from collections import Counter
from dataclasses import replace

from protocol.wasm.errors import Fault, ModuleRefused

MAX_FAULTS = 50
"""Faults of one module that are listed; the others are counted."""


class Faults:
    """What was found so far.

    `found` are at most MAX_FAULTS in the order of reading, the first one always among them. Where there are more, the
    functions share the list, so that one full of faults does not hide another's only one. `total` counts all.
    `function` is the function that is being read, None outside of one.
    """

    __slots__ = ("_counts", "_most", "found", "function", "total")

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self.total = 0
        self.function: int | None = None
        self._counts: Counter[int | None] = Counter()
        self._most = 0

    def note(self, fault: Fault) -> None:
        """Takes a fault that does not stop the reading."""
        self.total += 1
        function = self.function if fault.function is None else fault.function
        if len(self.found) == MAX_FAULTS and not self._make_room(function):
            return
        self.found.append(fault if function == fault.function else replace(fault, function=function))
        self._counts[function] += 1

    def note_unread(self, refused: ModuleRefused, part: str) -> None:
        """Takes a fault behind which nothing of that part of the module can be read."""
        (fault,) = refused.faults
        self.note(replace(fault, message=f"{fault.message}; the rest of the {part} could not be read"))

    @property
    def more(self) -> int:
        """Faults that are not listed."""
        return self.total - len(self.found)

    def _make_room(self, function: int | None) -> bool:
        """Drops the last fault of the function with the most, unless this function would then have as many."""
        self._most = self._most or max(self._counts.values())
        if self._counts[function] + 1 >= self._most:
            return False
        crowded = next(known for known, count in self._counts.items() if count == self._most)
        last = max(place for place, fault in enumerate(self.found) if fault.function == crowded)
        del self.found[last]
        self._counts[crowded] -= 1
        self._most = max(self._counts.values())
        return True
