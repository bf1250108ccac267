"""What `init` does once the contributor has said yes: keys, settings, the network agreed to, the binding."""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protocol.encoding import checksum_address, from_hex
from protocol.errors import ProtocolError
from protocol.messages import Binding
from worker import agreed, keystore
from worker.agreed import Agreed
from worker.errors import ChainUnusable, MarketRefused, SettingsInvalid
from worker.keystore import DeviceKey, create_keystore, load_key, new_passphrase
from worker.market_client import HttpMarket, check_url
from worker.owner import Owner, binding_to_sign, load_owner, write_consent
from worker.settings import Settings

OWNER_KEYSTORE = "owner.json"
BINDING_FILE = "binding.json"

PLAIN_WORDS = """\
What this does to your machine
  A program called the agent asks the market for work over https. What comes is other people's programs. Each is checked
  and rewritten here, and runs in a process of its own that has no files, no network, no other processes, and only as
  much memory and time as its task is allowed. Nothing runs before you start the agent with `run`, and `stop` ends it.
What is public
  The address of this device and of its owner, that they belong together (for good), every result that the device signs,
  its pay and its stake. Inputs and outputs of tasks are public too. Your internet address is seen by the market.
What you risk
  Electricity and wear. A wrong result, also by a fault of the machine, can cost the device's whole stake and what was
  not paid out. A device can work without stake; a part of its pay then becomes its stake.
"""


@dataclass(frozen=True)
class Plan:
    """What `init` is about to do. `make_owner` asks for a new owner's keystore in the state folder."""

    settings: Settings
    network: Agreed
    make_owner: bool = False

    def lines(self) -> list[str]:
        """The plan for the contributor's eyes."""
        settings, deployment = self.settings, self.network.deployment
        key = "is used" if settings.key_file.exists() else "is made, with a passphrase"
        owner = settings.owner or "none yet, its wallet has to agree"
        if self.make_owner or settings.owner_key_file:
            owner = f"a new one, key in {OWNER_KEYSTORE}" if self.make_owner else f"key in {settings.owner_key_file}"
        return [
            f"market        {', '.join(settings.markets)}",
            f"network       chain {deployment.chain_id}, contracts as that market names them, kept from now on",
            f"device key    {settings.key_file} {key}",
            f"owner         {owner}",
            f"least price   {settings.min_price_wei_per_gwu} wei for 10^9 WU",
            f"processors    {settings.cpus} tasks at a time",
            f"state folder  {settings.state_dir}",
        ]


def local_network(path: Path) -> dict[str, Any]:
    """Market and RPC of a network.json of a local network. Raises SettingsInvalid."""
    try:
        value = json.loads(path.read_text())
        return {"markets": (str(value["api"]),), "rpc_url": str(value["rpc"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsInvalid(f"{path} describes no local network: {error!r}") from error


def checked(settings: Settings) -> Settings:
    """With addresses in their one form. Raises SettingsInvalid."""
    settings.check_can_run()
    for url in settings.markets:
        check_url(url)
    try:
        return replace(settings, owner=settings.owner and checksum_address(settings.owner))
    except ProtocolError as error:
        raise SettingsInvalid(f"owner: {error.reason}") from error


def check_network(settings: Settings, network: Agreed) -> None:
    """ChainUnusable where another network was agreed to in this state folder before."""
    kept = agreed.kept(settings.state_dir)
    different = kept.differences(network) if kept else []
    if different:
        raise ChainUnusable(
            f"the market says {'; '.join(different)}: if that is meant, remove {settings.state_dir / agreed.FILE}"
        )


def carry_out(plan: Plan) -> tuple[Settings, DeviceKey, Owner | None]:
    """Makes keys, settings and the kept network; the settings as written, the device's key, the owner if it consents.

    Raises KeyUnusable, SettingsInvalid, OSError.
    """
    settings = plan.settings
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = _key_at(settings.key_file)
    if plan.make_owner:
        path = settings.state_dir / OWNER_KEYSTORE
        owner_key = _key_at(path)
        settings = replace(settings, owner_key_file=path, owner=owner_key.address)
        owner: Owner | None = Owner(owner_key.address, key=owner_key)
    else:
        owner = load_owner(settings.owner, settings.owner_key_file, settings.binding_file)
    settings = replace(settings, owner=owner.address if owner else settings.owner)
    settings.write()
    agreed.keep(settings.state_dir, plan.network)
    return settings, key, owner


def _key_at(path: Path) -> DeviceKey:
    """The key of a file; made where there is none."""
    if path.exists():
        return load_key(path)
    passphrase = new_passphrase(path)
    key = create_keystore(path, passphrase)
    keystore.remember_passphrase(key.address, passphrase)
    return key


def to_sign(settings: Settings) -> dict[str, Any]:
    """The binding for the owner's wallet, as eth_signTypedData_v4 takes it. Raises SettingsInvalid, KeyUnusable."""
    return binding_to_sign(_binding(settings), _network(settings).deployment.domain)


def take_signature(settings: Settings, signature: str) -> Settings:
    """Keeps the owner's signature that was made elsewhere; the settings with it, as written. Raises SettingsInvalid."""
    binding = _binding(settings)
    try:
        raw = from_hex(signature, 65, "the owner's signature")
    except ProtocolError as error:
        raise SettingsInvalid(error.reason) from error
    Owner(binding.owner, signature=raw).sign(binding, _network(settings).deployment.domain)
    path = settings.state_dir / BINDING_FILE
    write_consent(path, binding.owner, raw)
    settings = replace(settings, binding_file=path)
    settings.write()
    return settings


def bind(settings: Settings, key: DeviceKey, owner: Owner) -> None:
    """Has the market put the binding on chain. Raises SettingsInvalid, MarketError."""
    asyncio.run(_bind(settings, key, owner))


async def _bind(settings: Settings, key: DeviceKey, owner: Owner) -> None:
    domain = _network(settings).deployment.domain
    binding = Binding(key.address, owner.address)
    market = HttpMarket(settings.markets)
    try:
        await market.bind(binding, key.sign(binding, domain), owner.sign(binding, domain))
    except MarketRefused as error:
        raise SettingsInvalid(f"the market does not bind the device: {error.reason}") from error
    finally:
        await market.aclose()


def _binding(settings: Settings) -> Binding:
    if settings.owner is None:
        raise SettingsInvalid("no owner: give --owner")
    return Binding(keystore.device_address(settings.key_file), settings.owner)


def _network(settings: Settings) -> Agreed:
    found = agreed.kept(settings.state_dir)
    if found is None:
        raise SettingsInvalid("no network was agreed to: run `init` first")
    return found
