"""`python -m worker.escape`: tries, as confined as a program's process is, what such a process must not be able to do.

Prints the name of each attempt that succeeded; `doctor` runs it. It harms nothing where one does.
"""

import os
import socket
import sys
from collections.abc import Callable

from execution.confine import confine

MEMORY_BYTES = 64 << 20


def _read_a_file() -> None:
    os.close(os.open("/etc/passwd", os.O_RDONLY))


def _write_a_file() -> None:
    os.close(os.open("escaped", os.O_WRONLY | os.O_CREAT, 0o600))


def _use_the_network() -> None:
    socket.socket().close()


def _start_a_process() -> None:
    if os.fork() == 0:
        os._exit(0)


def _become_another_program() -> None:
    os.execv(sys.executable, [sys.executable, "-c", "print('become another program')"])  # noqa: S606


def _signal_its_parent() -> None:
    os.kill(os.getppid(), 0)


def _take_all_memory() -> None:
    bytearray(16 << 30)


ATTEMPTS: tuple[Callable[[], None], ...] = (
    _read_a_file,
    _write_a_file,
    _use_the_network,
    _start_a_process,
    _signal_its_parent,
    _take_all_memory,
    _become_another_program,
)


def main() -> None:
    """Tries all of them."""
    confine(MEMORY_BYTES)
    for attempt in ATTEMPTS:
        try:
            attempt()
        except (OSError, MemoryError):
            continue
        print(attempt.__name__.strip("_").replace("_", " "), flush=True)


if __name__ == "__main__":
    main()
