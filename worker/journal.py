"""The device's journal: facts as JSON lines, on disk before anybody else learns what follows from them, and outputs not
yet sent.

After a crash at any point the lines read back are the facts up to some moment; a line that was cut short never counted.
A lease taken, its results and its end survive this process at once, a crash of the machine with the next receipt:
without them the device asks the market again, computes again, or sends the same receipt again.
"""

import base64
import fcntl
import json
import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, Any

from protocol.blobs import blob_id
from worker.control import LOCK_FILE
from worker.errors import JournalBusy, JournalCorrupt
from worker.facts import Fact, LeaseSettled, LeaseTaken, ResultsRecorded, fact_from_json, fact_to_json

COMPACT_ABOVE_BYTES = 256 * 1024
LINE_OUTPUTS_BYTES = 16 * 1024
"""Outputs of so few bytes are a line of the journal, larger ones a file of their own."""
LOCK_TRIES = 5
LOCK_PAUSE_S = 0.02
_FILE = "journal.jsonl"
_OUTPUTS = "outputs"
_SYNCED_LATER = (LeaseTaken, ResultsRecorded, LeaseSettled)


class Journal:
    """One device's journal in a folder of its own, which a lock keeps to one process."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes it. Raises JournalBusy, JournalCorrupt, OSError."""
        self._folder = folder
        (folder / _OUTPUTS).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(folder / LOCK_FILE)
        self._path = folder / _FILE
        self._small: dict[bytes, bytes] = {}
        self.facts: tuple[Fact, ...] = self._read()
        self._file = self._path.open("ab")
        self._compact_above = max(COMPACT_ABOVE_BYTES, 4 * self._path.stat().st_size)
        _sync_folder(folder)

    def append(self, fact: Fact) -> None:
        """Writes a fact after all earlier ones; when this returns a receipt, and all before it, survive a crash of the
        machine."""
        self._write(fact_to_json(fact))
        if not isinstance(fact, _SYNCED_LATER):
            os.fsync(self._file.fileno())

    @property
    def is_large(self) -> bool:
        """Whether it has grown enough to be compacted."""
        return self._file.tell() > self._compact_above

    def compact(self, keeps: Callable[[Fact], bool]) -> None:
        """Rewrites the journal with the facts that are still needed, in their order."""
        kept = dict(self._small)
        facts = [fact for fact in self._read() if keeps(fact)]
        self._small = kept
        draft = self._folder / f"{_FILE}.part"
        with draft.open("wb") as file:
            file.writelines(_line(_outputs_to_json(blob)) for blob in kept.values())
            file.writelines(_line(fact_to_json(fact)) for fact in facts)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        _sync_folder(self._folder)
        self._file.close()
        self._file = self._path.open("ab")
        self._compact_above = max(COMPACT_ABOVE_BYTES, 4 * self._path.stat().st_size)

    def close(self) -> None:
        """Closes the files and gives the lock back."""
        self._file.close()
        self._lock.close()

    # --- outputs

    def keep_outputs(self, blob: bytes) -> bytes:
        """Stores an output blob until it is forgotten; returns its blob id."""
        name = blob_id(blob)
        if len(blob) <= LINE_OUTPUTS_BYTES:
            self._write(_outputs_to_json(blob))
            self._small[name] = blob
            return name
        draft = self._outputs(name).with_suffix(".part")
        with draft.open("wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._outputs(name))
        _sync_folder(self._folder / _OUTPUTS)
        return name

    def outputs(self, name: bytes) -> bytes | None:
        """The output blob of that id; None if it is gone or damaged."""
        if name in self._small:
            return self._small[name]
        try:
            blob = self._outputs(name).read_bytes()
        except FileNotFoundError:
            return None
        return blob if blob_id(blob) == name else None

    def forget_outputs(self, name: bytes) -> None:
        """Removes an output blob."""
        self._small.pop(name, None)
        self._outputs(name).unlink(missing_ok=True)

    def forget_outputs_but(self, names: Collection[bytes]) -> None:
        """Removes the output blobs that a crash left behind."""
        self._small = {name: blob for name, blob in self._small.items() if name in names}
        kept = {self._outputs(name) for name in names}
        for path in (self._folder / _OUTPUTS).iterdir():
            if path not in kept:
                path.unlink()

    def _outputs(self, name: bytes) -> Path:
        return self._folder / _OUTPUTS / name.hex()

    # --- inside

    def _write(self, value: dict[str, Any]) -> None:
        self._file.write(_line(value))
        self._file.flush()

    def _read(self) -> tuple[Fact, ...]:
        """The facts on disk, and small outputs into memory; what a crash left of a last line is cut off."""
        if not self._path.exists():
            return ()
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            with self._path.open("r+b") as file:
                file.truncate(whole)
                os.fsync(file.fileno())
        facts, self._small = _replay(data[:whole])
        return facts


def read_facts(folder: Path) -> tuple[Fact, ...]:
    """The facts of a journal that an agent may be writing at the same time. Raises JournalCorrupt, OSError."""
    try:
        data = (folder / _FILE).read_bytes()
    except FileNotFoundError:
        return ()
    return _replay(data[: data.rfind(b"\n") + 1])[0]


def _replay(lines: bytes) -> tuple[tuple[Fact, ...], dict[bytes, bytes]]:
    """The facts of a journal's lines, and its small outputs by blob id."""
    facts, outputs = list[Fact](), dict[bytes, bytes]()
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            value = json.loads(line)
            if isinstance(value, dict) and "keptOutputs" in value:
                blob = base64.b64decode(value["keptOutputs"], validate=True)
                outputs[blob_id(blob)] = blob
            else:
                facts.append(fact_from_json(value))
        except (ValueError, TypeError, JournalCorrupt) as error:
            raise JournalCorrupt(f"line {number} of the journal: {error}") from error
    return tuple(facts), outputs


def _outputs_to_json(blob: bytes) -> dict[str, Any]:
    return {"keptOutputs": base64.b64encode(blob).decode()}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _locked(path: Path) -> IO[bytes]:
    """Takes the lock; tried again for a moment, because `control.is_running` holds it for one."""
    file = path.open("ab")
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return file
    file.close()
    raise JournalBusy(f"another agent of this device holds {path}")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
