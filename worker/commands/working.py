"""run, pause, resume, finish, stop, status: an agent and what is asked of it while it runs."""

import logging
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from protocol.encoding import checksum_address
from protocol.errors import EncodingInvalid
from worker import control
from worker.commands.words import Device, Json, KeyFile, OwnerKey, Rpc, StateDir, command, end, show, table
from worker.control import Wish
from worker.errors import SettingsInvalid
from worker.exits import Exit
from worker.service import MakeRunner, run_device
from worker.settings import default_state_dir, load_settings
from worker.staking import tokens
from worker.status import Status, read_status

POLL_S = 0.1
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}

Market = Annotated[
    list[str] | None,
    typer.Option(
        "--market", envvar="WORKER_MARKET_URL", help="The market's URL; several of the same market may be given."
    ),
]
MinPrice = Annotated[
    int | None,
    typer.Option("--min-price", envvar="WORKER_MIN_PRICE_WEI_PER_GWU", help="Least price in token wei for 10^9 WU."),
]
Cpus = Annotated[int | None, typer.Option("--cpus", envvar="WORKER_CPUS", help="Tasks run at a time.")]
MemoryPages = Annotated[
    int | None, typer.Option("--memory-pages", envvar="WORKER_MEMORY_PAGES", help="Most memory of a task, in 64 KiB.")
]
OwnerAddress = Annotated[
    str | None, typer.Option("--owner", envvar="WORKER_OWNER", help="The owner that this device is bound to.")
]
BindingFile = Annotated[
    Path | None,
    typer.Option(
        "--binding", envvar="WORKER_BINDING_FILE", help='{"owner", "ownerSignature"}: consent given elsewhere.'
    ),
]
AutoClaim = Annotated[
    int | None,
    typer.Option("--auto-claim-wei", envvar="WORKER_AUTO_CLAIM_WEI", help="Claim by itself from so many wei on."),
]
Duration = Annotated[str | None, typer.Option("--for", help="For so long: 90s, 30m, 2h, 1d.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait until the agent has ended; 0: do not.")]


def urls_of(market: list[str] | None) -> tuple[str, ...] | None:
    """The URLs of an option that may hold several, apart by commas or blanks."""
    return tuple(url for item in market for url in item.replace(",", " ").split()) if market else None


def add(app: typer.Typer, make_runner: MakeRunner) -> None:
    """Adds these commands."""

    @app.command()
    @command
    def run(
        key_file: KeyFile = None,
        market: Market = None,
        state_dir: StateDir = None,
        min_price: MinPrice = None,
        cpus: Cpus = None,
        memory_pages: MemoryPages = None,
        owner: OwnerAddress = None,
        owner_key_file: OwnerKey = None,
        binding_file: BindingFile = None,
        rpc: Rpc = None,
        auto_claim: AutoClaim = None,
    ) -> None:
        """Work for the market until Ctrl-C: once to finish the lease first, twice to stop at once."""
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        overrides = {
            "markets": urls_of(market), "key_file": key_file, "min_price_wei_per_gwu": min_price, "cpus": cpus,
            "memory_pages": memory_pages, "owner": owner, "owner_key_file": owner_key_file,
            "binding_file": binding_file, "rpc_url": rpc, "auto_claim_wei": auto_claim,
        }  # fmt: skip
        typer.echo(f"stopped: {run_device(load_settings(state_dir, overrides), make_runner)}")

    for one in (pause, resume, finish, stop, status):
        app.command()(command(one))


def pause(state_dir: StateDir = None, duration: Duration = None, as_json: Json = False) -> None:
    """Take no new lease from now on, in every agent on this folder; a lease being worked on is finished."""
    now = time.time()
    until = None if duration is None else now + seconds_of(duration)
    control.pause(_folder(state_dir), now, until)
    show({"paused": True, "until": until}, as_json, "paused" if duration is None else f"paused for {duration}")


def resume(state_dir: StateDir = None, as_json: Json = False) -> None:
    """End the pause."""
    control.resume(_folder(state_dir))
    show({"paused": False, "until": None}, as_json, "resumed")


def finish(state_dir: StateDir = None, device: Device = None, timeout: Timeout = 120.0, as_json: Json = False) -> None:
    """Finish the lease, then stop. Exit status 3 where no agent runs, 1 where it has not ended in time."""
    _end_agents(_folder(state_dir), device, Wish.FINISH, timeout, as_json)


def stop(state_dir: StateDir = None, device: Device = None, timeout: Timeout = 30.0, as_json: Json = False) -> None:
    """Stop at once; the lease is given back. Exit status 3 where no agent runs, 1 where it has not ended in time."""
    _end_agents(_folder(state_dir), device, Wish.STOP, timeout, as_json)


def status(state_dir: StateDir = None, device: Device = None, as_json: Json = False) -> None:
    """What the agents of this folder do, and why where they do not work. Exit status 3 where none runs."""
    folder, now = _folder(state_dir), time.time()
    found = []
    for one in _devices(folder, device):
        said = read_status(control.device_folder(folder, one))
        found.append((one, said, control.is_running(control.device_folder(folder, one))))
    value = [
        {**(said.to_json() if said else {"device": one}), "running": runs, "state": _word(said, runs)}
        for one, said, runs in found
    ]
    text = "\n\n".join(describe(one, said, runs, now) for one, said, runs in found)
    show({"devices": value}, as_json, text or f"no device has worked in {folder}")
    if not any(runs for _, _, runs in found):
        raise typer.Exit(int(Exit.NOT_RUNNING))


def describe(device: str, said: Status | None, runs: bool, now: float) -> str:
    """A device for the contributor's eyes."""
    word = _word(said, runs)
    if said is None:
        return table([("device", device), ("state", word)])
    rows: list[tuple[str, str]] = [("device", device), ("state", f"{word} for {_ago(now - said.since)}")]
    if said.reason and word != "ended without a word":
        rows.append(("why", said.reason + (f", until {_moment(said.until)}" if said.until else "")))
    if said.lease and runs:
        lease = said.lease
        rows.append(("lease", f"{lease.lease_id} of job {lease.job_id[:10]}, until {_moment(lease.expires_at)}"))
        rows.append(("progress", f"{lease.tasks_done} of {lease.tasks} tasks"))
    if runs:
        over = f"until {_moment(said.session_until)}" if said.session_until else "none"
        rows += [("market", said.market), ("session", over), ("runs since", _moment(said.started_at))]
    if said.ns_per_wu:
        measured = ", ".join(f"{name} {speed:.2f}" for name, speed in said.benchmark.items())
        rows.append(("speed", f"{said.ns_per_wu:.2f} ns for a WU (measured at the start: {measured})"))
    total = said.totals
    rows.append(("accepted", f"{total.leases} leases, {total.tasks} tasks, {total.wu} WU, {tokens(total.wei)}"))
    rows += [("claim", said.claim)] if said.claim else []
    return table(list(rows))


def seconds_of(text: str) -> float:
    """Seconds of 90s, 30m, 2h or 1d. Raises SettingsInvalid."""
    match = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smhd])", text)
    if not match or float(match[1]) <= 0:
        raise SettingsInvalid(f"{text!r} is no length of time: 90s, 30m, 2h, 1d")
    return float(match[1]) * UNITS_S[match[2]]


# --- inside


def _folder(state_dir: Path | None) -> Path:
    return state_dir or default_state_dir()


def _devices(folder: Path, device: str | None) -> list[str]:
    try:
        return control.devices_in(folder) if device is None else [checksum_address(device)]
    except EncodingInvalid as error:
        raise SettingsInvalid(f"--device: {error.reason}") from error


def _end_agents(folder: Path, device: str | None, wish: Wish, timeout_s: float, as_json: bool) -> None:
    running = [control.device_folder(folder, one) for one in _devices(folder, device)]
    running = [one for one in running if control.is_running(one)]
    if not running:
        end(Exit.NOT_RUNNING, f"no agent runs on {folder}")
    for one in running:
        control.ask(one, wish)
    deadline = time.monotonic() + timeout_s
    while running and time.monotonic() < deadline:
        time.sleep(POLL_S)
        running = [one for one in running if control.is_running(one)]
    if running and timeout_s:
        end(Exit.FAILED, f"asked, and still running after {timeout_s:.0f} s: {', '.join(one.name for one in running)}")
    show({"stopped": not running}, as_json, "asked" if running else "stopped")


def _word(said: Status | None, runs: bool) -> str:
    if said is None:
        return "starting" if runs else "never ran"
    return said.state if runs or said.state == "stopped" else "ended without a word"


def _moment(at: float | None) -> str:
    return datetime.fromtimestamp(at or 0, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
