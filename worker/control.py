"""How commands reach agents: files in the state folder, so that it works without ports, and over the agent's crash.

`<state>/paused` holds every agent of the folder back from new leases. `<state>/<device>/wish` asks the one agent that
holds that device's lock to end. Whether an agent runs is asked of the lock, never of a process id in a file.
"""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from protocol.encoding import checksum_address
from protocol.errors import EncodingInvalid

PAUSE_FILE = "paused"
LOCK_FILE = "lock"
_WISH_FILE = "wish"


class Wish(StrEnum):
    """What an agent can be asked for: to end with its lease finished, or at once with its lease given back."""

    FINISH = "finish"
    STOP = "stop"


@dataclass(frozen=True)
class Pause:
    """The contributor's own pause; Unix seconds, `until` None where it has no end."""

    since: float
    until: float | None


def pause(folder: Path, now: float, until: float | None = None) -> None:
    """No agent of the folder takes a new lease from now on; one being worked on is finished."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / PAUSE_FILE, json.dumps({"since": now, "until": until}))


def resume(folder: Path) -> None:
    """Ends the pause."""
    (folder / PAUSE_FILE).unlink(missing_ok=True)


def pause_at(folder: Path, now: float) -> Pause | None:
    """The pause in force; a file that says nothing readable is one without an end."""
    path = folder / PAUSE_FILE
    try:
        value = json.loads(path.read_text())
        found = Pause(float(value["since"]), None if value["until"] is None else float(value["until"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        with suppress(OSError):
            return Pause(path.stat().st_mtime, None)
        return None
    return None if found.until is not None and found.until <= now else found


def ask(device_folder: Path, wish: Wish) -> None:
    """Asks the agent of a device to end."""
    write_whole(device_folder / _WISH_FILE, wish.value)


def take_wish(device_folder: Path) -> Wish | None:
    """What the agent was asked for since it last looked. It looks at its start too: that was meant for another."""
    path = device_folder / _WISH_FILE
    try:
        text = path.read_text()
        path.unlink()
        return Wish(text)
    except (FileNotFoundError, ValueError):
        return None


def is_running(device_folder: Path) -> bool:
    """Whether an agent holds the device's lock."""
    try:
        file = (device_folder / LOCK_FILE).open("rb")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def devices_in(folder: Path) -> list[str]:
    """The devices that have a folder here, by address."""
    if not folder.is_dir():
        return []
    found = []
    for path in sorted(folder.iterdir()):
        with suppress(EncodingInvalid):
            found.append(checksum_address(path.name))
    return found


def device_folder(folder: Path, device: str) -> Path:
    """Where a device's journal, lock and status lie."""
    return folder / device.lower()


def write_whole(path: Path, text: str) -> None:
    """Writes a file, readable by its owner alone, whole or not at all."""
    draft = path.with_name(f"{path.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
