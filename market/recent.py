"""Answers that many ask for and that are dear to make: made once in a while, in each process."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Recent:
    """The last answer of each name; a caller that comes while one is made waits for it. `now` in seconds."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._made: dict[str, tuple[float, Any]] = {}
        self._guard = threading.Lock()

    def get(self, name: str, now: Callable[[], float], seconds: float, make: Callable[[], T]) -> T:
        """The answer of that name, made anew once it is `seconds` old. What `make` raises is not kept."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            made = self._made.get(name)
            if made is None or not 0 <= now() - made[0] < seconds:
                made = (now(), make())
                self._made[name] = made
            found: T = made[1]
            return found
