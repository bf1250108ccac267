"""The device's settings: options and environment (see `worker.cli`) over the settings file over what is given here.

The file is `<state folder>/settings.toml`. Its keys are the fields of `Settings` except `state_dir`, and the table
`[policy]` with the fields of `worker.wishes.Wishes`. An unknown key is refused, so that a slip is not a silent default.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from worker import control
from worker.errors import SettingsInvalid
from worker.policy import Policy, default_memory_pages
from worker.wishes import Wishes

FILE = "settings.toml"
DEFAULT_KEY_FILE = "device.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What an agent is started with. Prices in wei per GWU, memory in pages of 64 KiB (None: half of the machine's).

    `rpc_url` and the owner's key are for the money commands and the automatic claim of `auto_claim_wei` or more.
    """

    markets: tuple[str, ...]
    key_file: Path
    state_dir: Path
    min_price_wei_per_gwu: int | None = None
    cpus: int = 1
    memory_pages: int | None = None
    owner: str | None = None
    owner_key_file: Path | None = None
    binding_file: Path | None = None
    rpc_url: str | None = None
    auto_claim_wei: int | None = None
    policy_wishes: Wishes = field(default_factory=Wishes)

    def policy(self) -> Policy:
        """What the contributor allows. Raises SettingsInvalid."""
        if self.min_price_wei_per_gwu is None:
            raise SettingsInvalid("no price: run `init`, or use --min-price or WORKER_MIN_PRICE_WEI_PER_GWU")
        pages = default_memory_pages(self.cpus) if self.memory_pages is None else self.memory_pages
        return Policy(self.state_dir, self.min_price_wei_per_gwu, self.cpus, pages, self.policy_wishes)

    def check_can_run(self) -> None:
        """SettingsInvalid where no agent could start on them."""
        if not self.markets:
            raise SettingsInvalid("no market: run `init`, or use --market or WORKER_MARKET_URL")
        self.policy()

    def journal_folder(self, device: str) -> Path:
        """The folder of a device's journal."""
        return control.device_folder(self.state_dir, device)

    def write(self) -> Path:
        """Writes the settings file, readable by its owner alone; returns its path."""
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.state_dir / FILE
        names = [one.name for one in fields(self) if one.name not in ("state_dir", "policy_wishes")]
        lines = [f"{name} = {_toml(value)}" for name in names if (value := getattr(self, name)) is not None]
        wishes = [f"{one.name} = {_toml(getattr(self.policy_wishes, one.name))}" for one in fields(self.policy_wishes)]
        control.write_whole(path, "\n".join([*lines, "", "[policy]", *wishes, ""]))
        return path


def default_state_dir() -> Path:
    """Where the journal lies unless the settings say otherwise."""
    from platformdirs import user_state_path

    return user_state_path("multitude") / "worker"


def load_settings(state_dir: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """The settings of a state folder, `overrides` that are not None put over its file. Raises SettingsInvalid."""
    folder = state_dir or default_state_dir()
    written = _read(folder / FILE)
    wishes = table_of(Wishes, written.pop("policy", {}), "[policy]")
    given = {name: value for name, value in overrides.items() if value is not None}
    defaults = {"markets": (), "key_file": folder / DEFAULT_KEY_FILE}
    base = table_of(Settings, {**defaults, **written}, FILE, {"state_dir": folder, "policy_wishes": wishes})
    return replace(base, **given)


def table_of(kind: type[T], table: object, where: str, fixed: Mapping[str, Any] | None = None) -> T:
    """A dataclass out of a TOML table: str, int, float, bool, Path and tuples of str. SettingsInvalid names the key.

    `fixed` fields are given, and may not stand in the table.
    """
    if not isinstance(table, Mapping):
        raise SettingsInvalid(f"{where} is not a table")
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name not in (fixed or {})}
    unknown = set(table) - hints.keys()
    if unknown:
        known = ", ".join(sorted(hints)) or "none"
        raise SettingsInvalid(f"{where}: unknown key {', '.join(sorted(unknown))}; there are {known}")
    return kind(
        **{name: _value(hints[name], value, f"{where}: {name}") for name, value in table.items()}, **fixed or {}
    )


def _value(hint: Any, value: object, where: str) -> Any:
    kinds = [kind for kind in (get_args(hint) if isinstance(hint, UnionType) else (hint,)) if kind is not type(None)]
    for kind in kinds:
        if kind is Path and isinstance(value, (str, Path)):
            return Path(value)
        if kind is float and type(value) in (int, float):
            return float(value)  # type: ignore[arg-type]
        if get_args(kind) and isinstance(value, (list, tuple)) and all(type(item) is str for item in value):
            return tuple(value)
        if type(value) is kind:
            return value
    raise SettingsInvalid(f"{where} is {value!r}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsInvalid(f"{path}: {error}") from error


def _toml(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)
