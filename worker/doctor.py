"""What can be wrong with a device, looked at line by line: each ok, warn or fail, with what to do."""

import os
import platform
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx2

from execution import DeviceFailure, Sandbox
from protocol.encoding import ZERO_ADDRESS
from protocol.merkle import Status
from worker import agreed, benchmark, control, keystore
from worker.book import Book
from worker.conditions import Sensors
from worker.courtesy import unknown_wishes
from worker.errors import ChainUnusable, JournalCorrupt, KeyUnusable, MarketError, SettingsInvalid, WorkerError
from worker.facts import Convicted
from worker.journal import read_facts
from worker.market_client import check_url
from worker.policy import PAGE_BYTES
from worker.settings import FILE, Settings
from worker.staking import tokens

PYTHON_LEAST = (3, 11)
DISK_LEAST_BYTES, DISK_GOOD_BYTES = 64 << 20, 1 << 30
LOAD_S = 0.1
"""The load of other programs is a difference over so long."""
SKEW_WARN_S, SKEW_FAIL_S = 10.0, 60.0
"""A market takes no session that was signed 60 s off."""
ENDLESS_WU = 1_000_000
ENDLESS_INPUT = (2**31).to_bytes(4, "little") + b"x"


class Grade(StrEnum):
    """How grave a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One line; `todo` says what to do about it."""

    topic: str
    grade: Grade
    text: str
    todo: str | None = None

    def to_json(self) -> dict[str, str | None]:
        """The JSON form."""
        return {"topic": self.topic, "grade": self.grade.value, "text": self.text, "todo": self.todo}


def ok(topic: str, text: str) -> Finding:
    """Nothing to do."""
    return Finding(topic, Grade.OK, text)


def warn(topic: str, text: str, todo: str) -> Finding:
    """It works, but."""
    return Finding(topic, Grade.WARN, text, todo)


def fail(topic: str, text: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(topic, Grade.FAIL, text, todo)


def examine(settings: Settings, clock: Callable[[], float] = time.time) -> Iterator[Finding]:
    """All findings, in the order in which they are best mended."""
    yield _settings(settings)
    yield _python()
    yield from _sandbox()
    yield _memory(settings)
    yield _disk(settings.state_dir)
    yield _key(settings)
    yield from _journals(settings)
    yield from _policy(settings)
    for url in settings.markets:
        yield from _market(url, settings, clock)
    yield from _chain(settings, clock)


# --- the machine


def _settings(settings: Settings) -> Finding:
    try:
        settings.check_can_run()
    except SettingsInvalid as error:
        return fail("settings", error.reason, "run `init`")
    path = settings.state_dir / FILE
    return ok("settings", str(path) if path.exists() else "from options and environment alone")


def _python() -> Finding:
    found = platform.python_version()
    if sys.version_info < PYTHON_LEAST:
        return fail("python", found, f"install Python {'.'.join(map(str, PYTHON_LEAST))} or newer")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        text = f"{found} on {platform.system()} {platform.machine()}"
        return warn("python", text, "only Linux on x86-64 was tried; elsewhere a sandbox has fewer walls")
    return ok("python", f"{found}, {benchmark.machine_now()}")


def _sandbox() -> Iterator[Finding]:
    from programs.catalogue import CATALOGUE

    todo = "reinstall the wasmtime package; without a sandbox nothing can be run here"
    try:
        program = CATALOGUE["sha256-chain"].build()
        with Sandbox(program.rewritten, program.limits) as sandbox:
            good = sandbox.run((1).to_bytes(4, "little") + b"multitude")
            endless = sandbox.run(ENDLESS_INPUT, ENDLESS_WU)
    except (DeviceFailure, OSError, ImportError) as error:
        yield fail("sandbox", f"no program runs: {error}", todo)
        return
    if good.status is not Status.OK or endless.status is not Status.WU_LIMIT:
        yield fail("sandbox", f"programs end with status {good.status} and {endless.status}", todo)
        return
    yield ok("sandbox", "a program runs, and one without an end is stopped at its WU limit")
    yield escape_finding(_escaped())


def _escaped() -> list[str] | None:
    """What a confined process could do after all; None where it could not be tried."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "worker.escape"]
    try:
        done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None


def escape_finding(escaped: list[str] | None) -> Finding:
    """What the attempts to leave a confined process say."""
    if escaped is None:
        return warn(
            "escape", "the attempts to leave the sandbox could not be made", "look at `python -m worker.escape`"
        )
    if escaped:
        text = f"a confined process can {', '.join(escaped)}"
        return fail("escape", text, "use a kernel with seccomp; programs have no imports, but this wall is missing")
    return ok("escape", "a confined process has no files, network, processes, signals or memory beyond its own")


def _memory(settings: Settings) -> Finding:
    priced = replace(settings, min_price_wei_per_gwu=settings.min_price_wei_per_gwu or 0)  # _settings misses the price
    try:
        pages, free = priced.policy().memory_pages, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except SettingsInvalid as error:
        return fail("memory", error.reason, "mend memory_pages and cpus in the settings")
    needed = settings.cpus * pages * PAGE_BYTES
    text = f"{free >> 20} MiB free, {settings.cpus} tasks may take {needed >> 20} MiB"
    return ok("memory", text) if free >= needed else warn("memory", text, "lower memory_pages or cpus")


def _policy(settings: Settings) -> Iterator[Finding]:
    """What the wishes ask of the machine, and what of it the machine does not tell."""
    wishes = settings.policy_wishes
    if not wishes.conditions:
        return
    sensors = Sensors(settings.state_dir, wishes.conditions)
    sensors.read()
    time.sleep(LOAD_S)
    unknown = unknown_wishes(wishes, sensors.read())
    if not unknown:
        yield ok("policy", "this machine tells all that the wishes ask")
    for question in unknown:
        text = f"it cannot be known here {question}"
        if wishes.work_when_unknown:
            yield warn("policy", text, "the device works all the same: work_when_unknown = false has it rest")
        else:
            yield fail("policy", text, "the device always rests: drop that wish, or set work_when_unknown = true")


def _disk(folder: Path) -> Finding:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free >> 20} MiB free at {folder}"
    if not os.access(existing, os.W_OK):
        return fail("disk", f"{existing} cannot be written", "choose another --state-dir")
    if free < DISK_LEAST_BYTES:
        return fail("disk", text, "make room: what a device signs must be on disk first")
    return ok("disk", text) if free >= DISK_GOOD_BYTES else warn("disk", text, "make room")


# --- key and journal


def _key(settings: Settings) -> Finding:
    path = settings.key_file
    try:
        address, mode = keystore.device_address(path), stat.S_IMODE(path.stat().st_mode)
        bare = not path.read_text().lstrip().startswith("{")
    except (KeyUnusable, OSError) as error:
        return fail("key", str(error), "run `init`, or put the keystore back from your copy of it")
    if mode & 0o077:
        return warn("key", f"{path} has mode {mode:04o}", f"chmod 600 {path}")
    if bare:
        return warn(
            "key", f"{address}, without a passphrase", "fit for a local network only: `keygen` makes a keystore"
        )
    if not keystore.has_passphrase(address):
        return warn(
            "key", f"{address}, its passphrase is asked for", "an agent that starts by itself needs the keyring"
        )
    try:
        keystore.load_key(path)
    except KeyUnusable as error:
        return fail("key", error.reason, f"correct {keystore.PASSPHRASE_VARIABLE} or the keyring's entry")
    return ok("key", f"{address}, mode {mode:04o}, its passphrase fits")


def _journals(settings: Settings) -> Iterator[Finding]:
    for device in control.devices_in(settings.state_dir):
        folder = control.device_folder(settings.state_dir, device)
        running = "an agent runs" if control.is_running(folder) else "no agent runs"
        try:
            facts = read_facts(folder)
            holdings = len(Book(facts).holdings)
        except (JournalCorrupt, OSError) as error:
            yield fail(
                "journal", f"{device}: {error}", "start no agent on it: put a copy back, or use a new device key"
            )
            continue
        if any(isinstance(fact, Convicted) for fact in facts):
            yield fail("journal", f"{device} was convicted", "it never works again: `init` another device key")
        else:
            yield ok("journal", f"{device}: {len(facts)} facts, {holdings} leases remembered; {running}")


# --- market and chain


def _market(url: str, settings: Settings, clock: Callable[[], float]) -> Iterator[Finding]:
    try:
        base = check_url(url)
        before, response, after = clock(), agreed.http().get(f"{base}/healthz"), clock()
        if response.status_code != httpx2.codes.OK:
            yield fail("market", f"{url} answers {response.status_code}", "wait, or use another of its addresses")
            return
        yield ok("market", f"{url} answers in {(after - before) * 1e3:.0f} ms")
        if "date" in response.headers:
            yield skew_finding(
                "market", parsedate_to_datetime(response.headers["date"]).timestamp(), (before + after) / 2
            )
        yield _same_network(agreed.ask([url]), agreed.kept(settings.state_dir))
    except SettingsInvalid as error:
        yield fail("market", error.reason, "correct `markets` in the settings")
    except (MarketError, httpx2.HTTPError, ChainUnusable, ValueError) as error:
        yield fail("market", f"{url}: {error}", "is the address right, and the network up?")


def skew_finding(whose: str, its: float, ours: float) -> Finding:
    """How far two clocks are apart."""
    skew = ours - its
    text = f"this machine's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the {whose}'s"
    if abs(skew) >= SKEW_FAIL_S:
        return fail("clock", text, "set the clock (timedatectl set-ntp true): no session can be opened")
    return ok("clock", text) if abs(skew) < SKEW_WARN_S else warn("clock", text, "set the clock by NTP")


def _same_network(found: agreed.Agreed, kept: agreed.Agreed | None) -> Finding:
    if kept is None:
        return warn("network", "none was agreed to in this state folder", "run `init`")
    different = kept.differences(found)
    if different:
        return fail("network", f"the market says {'; '.join(different)}", "do not go on unless its operator says why")
    return ok("network", f"chain {found.deployment.chain_id}, settler {found.settler}, the contracts agreed to")


def _chain(settings: Settings, clock: Callable[[], float]) -> Iterator[Finding]:
    from chain.errors import ChainError

    if not settings.rpc_url:
        todo = "set rpc_url for earnings, claim and stake; working does not need it"
        yield warn("chain", "no address of the chain is set", todo)
        return
    try:
        client, network = agreed.open_chain(settings)
        head = client.head()
        yield (
            skew_finding("chain", float(head.timestamp), clock())
            if head.timestamp > clock()
            else ok("clock", f"the newest block is {clock() - head.timestamp:.0f} s old")
        )
        missing = [
            n for n, a in network.deployment.contracts.items() if client.rpc("eth_getCode", [a, "latest"]) == "0x"
        ]
        if missing:
            yield fail("contracts", f"no code at {', '.join(missing)}", "is it the right chain?")
            return
        yield ok("contracts", f"{len(network.deployment.contracts)} on chain {client.chain_id()}, block {head.number}")
        yield from _standing(settings, client)
    except (WorkerError, ChainError) as error:
        yield fail("chain", str(error), "correct rpc_url in the settings")


def _standing(settings: Settings, client: Any) -> Iterator[Finding]:
    """Binding, stake and conviction as StakeVault has them."""
    device = keystore.device_address(settings.key_file)
    facts, least = client.call("StakeVault", "deviceOf", device), int(client.call("StakeVault", "minimumStake"))
    if facts["convicted"]:
        yield fail("conviction", f"{device} is convicted", "it never works again: `init` another device key")
    else:
        yield ok("conviction", "none")
    if facts["owner"] == ZERO_ADDRESS:
        yield warn("binding", f"{device} has no owner yet", "run `init`: without an owner nobody can be paid")
    elif settings.owner and facts["owner"].lower() != settings.owner.lower():
        yield fail("binding", f"{device} belongs to {facts['owner']}, not to {settings.owner}", "it is bound for good")
    else:
        yield ok("binding", f"{device} belongs to {facts['owner']}")
    stake = int(facts["stake"])
    if stake < least:
        text = f"{tokens(stake)}, below {tokens(least)} it counts as none"
        yield warn("stake", text, "every task is replayed at half of the pay, and pay is bonded until it has grown")
    else:
        yield ok("stake", tokens(stake))
