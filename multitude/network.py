"""The local network's file, var/run/network.json: where commands look for what their options leave out."""

import json
from pathlib import Path
from typing import Any

from multitude.errors import NetworkUnknown

CHECKOUT = Path(__file__).resolve().parents[1]
NETWORK_FILE = Path("var") / "run" / "network.json"


def network_folder() -> Path:
    """The folder of the file: below the working directory if it is there, else in the checkout."""
    here = Path.cwd() / NETWORK_FILE
    return (here if here.is_file() else CHECKOUT / NETWORK_FILE).parent


def read_network() -> dict[str, Any]:
    """The file's content, empty where no local network is up. Raises NetworkUnknown for one that is damaged."""
    path = network_folder() / NETWORK_FILE.name
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NetworkUnknown(f"{path}: {error}") from error
    return value if isinstance(value, dict) else {}


def account_key(network: dict[str, Any], role: str) -> str | None:
    """The hex key of a local network's development account; worth nothing elsewhere."""
    for entry in network.get("accounts") or ():
        if isinstance(entry, dict) and entry.get("role") == role:
            return str(entry.get("key"))
    return None
