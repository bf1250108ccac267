"""The guard: a small process that outlives the launcher and ends whatever it left behind.

The supervisor starts it first, in a session of its own, and holds the other end of its standard input. Lines tell it
what to look after: `watch PID` (a service) and `remove PATH` (a temporary folder). When the input ends, because the
supervisor closed it or because the launcher died in any way, SIGKILL included, the guard ends the run's family: the
watched services, everything below them, everything in their sessions, and every process that carries the run's mark in
its environment. It first asks (SIGTERM), then insists (SIGKILL). It is run by its path and imports only psutil.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

import psutil

MARK_VARIABLE = "MULTITUDE_RUN"
ASK_TIMEOUT_S = 2.0
_MAX_ROUNDS = 50


def family(mark: str, watched: list[psutil.Process]) -> dict[int, psutil.Process]:
    """The run's living processes by id, without this process and its parent."""
    sessions = {process.pid for process in watched}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) in sessions or process.environ().get(MARK_VARIABLE) == mark:
                found[process.pid] = process
        except (psutil.Error, OSError):
            continue
    for process in [*watched, *found.values()]:
        try:
            if process.is_running():
                found[process.pid] = process
                found.update({child.pid: child for child in process.children(recursive=True)})
        except psutil.Error:
            continue
    for outsider in (os.getpid(), os.getppid()):
        found.pop(outsider, None)
    return {pid: process for pid, process in found.items() if _alive(process)}


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def end_family(mark: str, watched: list[psutil.Process], ask_timeout_s: float = ASK_TIMEOUT_S) -> None:
    """Ends the family; returns when none is left, or after a bounded number of rounds."""
    deadline = time.monotonic() + ask_timeout_s
    asked: set[int] = set()
    for _ in range(_MAX_ROUNDS):
        living = family(mark, watched)
        if not living:
            return
        insist = time.monotonic() >= deadline
        for pid, process in living.items():
            if insist or pid not in asked:
                asked.add(pid)
                _send(process, signal.SIGKILL if insist else signal.SIGTERM)
        time.sleep(0.1)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def main() -> None:
    """Reads the supervisor's lines until the input ends, then cleans up. Argument: the run's mark."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark = sys.argv[1]
    watched: list[psutil.Process] = []
    folders: list[str] = []
    for line in sys.stdin:
        word, _, value = line.strip().partition(" ")
        if word == "watch":
            with contextlib.suppress(psutil.Error):  # it ended before it could be looked at
                watched.append(psutil.Process(int(value)))
        elif word == "remove":
            folders.append(value)
    end_family(mark, watched)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
