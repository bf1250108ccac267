"""The systemd user unit that keeps an agent running.

What it may not say, because the sandbox of `execution.confine` would break: MemoryDenyWriteExecute (wasmtime compiles
to machine code), LimitAS below 64 GiB (each memory reserves addresses), an OOMPolicy other than continue (a guest that
is killed is no end of the agent), LimitNPROC and TasksMax below what the children need to start.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from worker import control
from worker.errors import SettingsInvalid
from worker.keystore import PASSPHRASE_FILE_VARIABLE
from worker.policy import PAGE_BYTES
from worker.runner import PROGRAMS_KEPT
from worker.settings import Settings

NAME = "multitude-worker.service"
AGENT_BYTES = 1 << 30
CHILD_BYTES = 512 << 20
"""The agent itself, and what a child needs beside its program's memory."""

_TEMPLATE = """\
[Unit]
Description=Multitude worker: runs other people's programs in a sandbox, for pay
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart={start}
# One SIGINT: the lease is finished first. Children end with the agent.
KillSignal=SIGINT
KillMode=mixed
TimeoutStopSec=120
Restart=on-failure
RestartSec=10
OOMPolicy=continue
UMask=0077
Environment=PYTHONUNBUFFERED=1 OPENBLAS_NUM_THREADS=1
{passphrase}Nice=10
MemoryMax={memory}
TasksMax=4096
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={state}
PrivateTmp=yes
ProtectControlGroups=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""


def unit_text(settings: Settings) -> str:
    """The unit for these settings."""
    policy = settings.policy()
    children = PROGRAMS_KEPT * settings.cpus * (policy.memory_pages * PAGE_BYTES + CHILD_BYTES)
    state = settings.state_dir.resolve()
    start = [sys.executable, "-m", "worker", "run", "--state-dir", str(state)]
    passphrase = os.environ.get(PASSPHRASE_FILE_VARIABLE)
    variable = (
        f"Environment={_quoted(f'{PASSPHRASE_FILE_VARIABLE}={Path(passphrase).resolve()}')}\n" if passphrase else ""
    )
    return _TEMPLATE.format(
        start=" ".join(_quoted(part).replace("$", "$$") for part in start),
        memory=AGENT_BYTES + children,
        state=_quoted(str(state)),
        passphrase=variable,
    )


def unit_path() -> Path:
    """Where user units lie."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "systemd" / "user" / NAME


def install(settings: Settings) -> list[str]:
    """Writes the unit and makes systemd read it; returns what is left to be done."""
    path = unit_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    control.write_whole(path, unit_text(settings))
    _systemctl("daemon-reload")
    return [f"systemctl --user enable --now {NAME}", f"loginctl enable-linger {shlex.quote(_user())}"]


def uninstall() -> bool:
    """Stops the service and removes the unit; False where there is none."""
    path = unit_path()
    if not path.exists():
        return False
    _systemctl("disable", "--now", NAME)
    path.unlink()
    _systemctl("daemon-reload")
    return True


def _systemctl(*arguments: str) -> None:
    """Asks the user's systemd, where there is one; it is no error that there is none."""
    if shutil.which("systemctl"):
        subprocess.run(["systemctl", "--user", *arguments], check=False, capture_output=True, timeout=60)


def _user() -> str:
    return os.environ.get("USER") or str(os.getuid())


def _quoted(part: str) -> str:
    """A word of a unit file."""
    if any(ord(character) < 32 for character in part):
        raise SettingsInvalid(f"{part!r} cannot stand in a unit file")
    escaped = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
