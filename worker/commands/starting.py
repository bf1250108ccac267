"""init, keygen, doctor, service: before an agent works, and when it does not."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker import agreed
from worker.commands.words import Json, KeyFile, OwnerKey, Rpc, StateDir, Yes, agree, command, end, say, show, table
from worker.commands.working import AutoClaim, Cpus, Market, MinPrice, OwnerAddress, urls_of
from worker.errors import MarketError, SettingsInvalid
from worker.exits import Exit
from worker.keystore import DeviceKey, create_keystore, load_key, new_passphrase
from worker.owner import Owner, load_owner
from worker.settings import FILE, Settings, load_settings
from worker.wishes import PRESETS, Wishes

if TYPE_CHECKING:
    from worker.setup import Plan

LOCAL_NETWORK = Path("var/run/network.json")

NetworkFile = Annotated[
    Path | None, typer.Option("--network", help="network.json of a local network: takes market and RPC from it.")
]
Preset = Annotated[str | None, typer.Option("--policy", help=f"When it may work: {', '.join(PRESETS)}.")]
NewOwner = Annotated[bool, typer.Option("--new-owner", help="Make a new owner's keystore in the state folder.")]
PrintBinding = Annotated[
    bool, typer.Option("--print-binding", help="Print the binding (EIP-712) for the owner's wallet to sign elsewhere.")
]
OwnerSignature = Annotated[str | None, typer.Option("--owner-signature", help="The wallet's signature of the binding.")]

service = typer.Typer(no_args_is_help=True, help="A systemd user unit that keeps the agent running.")


def add(app: typer.Typer) -> None:
    """Adds these commands."""
    for one in (init, keygen, doctor):
        app.command()(command(one))
    app.add_typer(service, name="service")


def init(  # noqa: PLR0917 - each is an option by name
    market: Market = None,
    network_file: NetworkFile = None,
    state_dir: StateDir = None,
    key_file: KeyFile = None,
    owner: OwnerAddress = None,
    owner_key_file: OwnerKey = None,
    new_owner: NewOwner = False,
    print_binding: PrintBinding = False,
    owner_signature: OwnerSignature = None,
    min_price: MinPrice = None,
    cpus: Cpus = None,
    preset: Preset = None,
    rpc: Rpc = None,
    auto_claim: AutoClaim = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Set this machine up as a device: says what that means, asks, and does nothing before a yes."""
    from worker import setup

    overrides = {
        "markets": urls_of(market), "key_file": key_file, "owner": owner, "owner_key_file": owner_key_file,
        "min_price_wei_per_gwu": min_price, "cpus": cpus, "rpc_url": rpc, "auto_claim_wei": auto_claim,
        "policy_wishes": None if preset is None else _wishes(preset),
    }  # fmt: skip
    known = load_settings(state_dir, overrides)
    is_set_up = (known.state_dir / FILE).exists()
    if owner_signature is not None:
        known = setup.take_signature(known, owner_signature)
        _bind(known, load_key(known.key_file), load_owner(known.owner, None, known.binding_file), as_json)
        return
    if not (is_set_up and print_binding):
        network_file = network_file or (LOCAL_NETWORK if not is_set_up and LOCAL_NETWORK.exists() else None)
        wanted = {**_of_local_network(network_file), **{name: v for name, v in overrides.items() if v is not None}}
        known, new_owner = _asked(load_settings(state_dir, wanted), new_owner, preset, print_binding, yes)
        known, key, consenting = _set_up(known, new_owner, yes)
        if not print_binding:
            _bind(known, key, consenting, as_json)
    if print_binding:
        show(setup.to_sign(known), True, "")
        say("Sign this in the owner's wallet (eth_signTypedData_v4), then: init --owner-signature 0x...")


def keygen(
    key_file: Annotated[Path, typer.Option("--keystore", envvar="WORKER_KEY_FILE", help="Where to.")],
    as_json: Json = False,
) -> None:
    """Make a new key in a V3 keystore; prints its address."""
    address = create_keystore(key_file, new_passphrase(key_file)).address
    show({"address": address, "keystore": str(key_file)}, as_json, address)


def doctor(
    state_dir: StateDir = None, market: Market = None, key_file: KeyFile = None, rpc: Rpc = None, as_json: Json = False
) -> None:
    """Look for what is wrong, line by line, with what to do. Exit status 1 where something fails."""
    from worker.doctor import Grade, examine

    overrides = {"markets": urls_of(market), "key_file": key_file, "rpc_url": rpc}
    found = list(examine(load_settings(state_dir, overrides)))
    rows = [(one.grade.value, one.topic, one.text + (f". {one.todo}" if one.todo else "")) for one in found]
    failed = any(one.grade is Grade.FAIL for one in found)
    show({"sound": not failed, "findings": [one.to_json() for one in found]}, as_json, table(list(rows)))
    if failed:
        raise typer.Exit(int(Exit.FAILED))


@service.command("print")
@command
def print_unit(state_dir: StateDir = None) -> None:
    """Print the unit."""
    from worker.unit import unit_text

    typer.echo(unit_text(load_settings(state_dir, {})), nl=False)


@service.command("install")
@command
def install_unit(state_dir: StateDir = None, yes: Yes = False, as_json: Json = False) -> None:
    """Write the unit into the user's systemd folder."""
    from worker.unit import install, unit_path, unit_text

    settings = load_settings(state_dir, {})
    settings.check_can_run()
    say(unit_text(settings))
    agree(f"Write this to {unit_path()}?", yes)
    steps = install(settings)
    text = "\n".join([f"written: {unit_path()}", "To start it, now and at every boot:", *steps])
    show({"unit": str(unit_path()), "next": steps}, as_json, text)


@service.command("uninstall")
@command
def uninstall_unit(yes: Yes = False, as_json: Json = False) -> None:
    """Stop the service and remove the unit."""
    from worker.unit import uninstall, unit_path

    agree(f"Stop the service and remove {unit_path()}?", yes)
    removed = uninstall()
    show({"removed": removed}, as_json, "removed" if removed else "there is no unit")


# --- what init asks and does


def _of_local_network(path: Path | None) -> dict[str, object]:
    from worker.setup import local_network

    return {} if path is None else local_network(path)


def _wishes(preset: str) -> Wishes:
    if preset not in PRESETS:
        raise SettingsInvalid(f"no policy {preset!r}: there are {', '.join(PRESETS)}")
    return PRESETS[preset][1]


def _asked(known: Settings, new_owner: bool, preset: str | None, elsewhere: bool, yes: bool) -> tuple[Settings, bool]:
    """The settings with the contributor's answers, and whether an owner's key is to be made."""
    from worker.setup import PLAIN_WORDS

    say(PLAIN_WORDS)
    if yes:
        return _priced(known), new_owner
    urls = typer.prompt(
        "Market (several of the same market, apart by blanks)", ", ".join(known.markets) or None, err=True
    )
    known = replace(known, markets=urls_of([urls]) or ())
    proposed = known.min_price_wei_per_gwu
    if proposed is None:
        proposed = _price_of_others(known)
    price = typer.prompt("Least price, wei for 10^9 WU", proposed, type=int, err=True)
    cpus = typer.prompt("Tasks at a time", known.cpus, type=int, err=True)
    wishes = known.policy_wishes if preset is not None else _asked_wishes(known)
    known = replace(known, min_price_wei_per_gwu=price, cpus=cpus, policy_wishes=wishes)
    if known.owner is None and known.owner_key_file is None and not new_owner:
        answer = typer.prompt("Owner's address (empty: make a new owner's key here)", "", err=True, show_default=False)
        known, new_owner = replace(known, owner=answer or None), not answer and not elsewhere
    rpc = typer.prompt("Address of the chain, for money commands (may stay empty)", known.rpc_url or "", err=True)
    return replace(known, rpc_url=rpc or None), new_owner


def _priced(known: Settings) -> Settings:
    """With the price of others where none is given. Raises SettingsInvalid where there are no others."""
    if known.min_price_wei_per_gwu is not None:
        return known
    price = _price_of_others(known)
    if price is None:
        raise SettingsInvalid("there is no price to propose: give --min-price, in token wei for 10^9 WU")
    return replace(known, min_price_wei_per_gwu=price)


def _price_of_others(known: Settings) -> int | None:
    """What the market's live devices ask in the middle, said aloud. Raises MarketUnreachable."""
    from worker.asks import asked_now

    found = asked_now(known.markets)
    if found is None:
        say("Nobody offers work in this market now, so nothing says what to ask.")
        return None
    say(f"This market's {found.devices} live devices ask {found.middle} wei in the middle: that is proposed.")
    return found.middle


def _asked_wishes(known: Settings) -> Wishes:
    names = {name: meaning for name, (meaning, _) in PRESETS.items()}
    say("\n".join(f"  {name}: {meaning}" for name, meaning in names.items()))
    current = next((name for name, (_, wishes) in PRESETS.items() if wishes == known.policy_wishes), "as it is")
    answer = typer.prompt("When may it work", current, err=True)
    return known.policy_wishes if answer == "as it is" else _wishes(answer)


def _set_up(known: Settings, new_owner: bool, yes: bool) -> tuple[Settings, DeviceKey, Owner | None]:
    """Shows the plan, asks, carries it out."""
    from worker import setup

    settings = setup.checked(known)
    network = agreed.ask(settings.markets)
    setup.check_network(settings, network)
    plan = setup.Plan(settings, network, new_owner)
    say(_plan_text(plan))
    agree("Set this device up?", yes)
    done, key, owner = setup.carry_out(plan)
    say(f"device {key.address}, owner {done.owner or 'none yet'}")
    say(f"Keep copies of {done.key_file.name} and of your passphrase: without them the device is gone.")
    return done, key, owner


def _plan_text(plan: "Plan") -> str:
    return "\n".join(["What is about to be done", *(f"  {line}" for line in plan.lines())])


def _bind(settings: Settings, key: DeviceKey, owner: Owner | None, as_json: bool) -> None:
    from worker import setup

    value = {"device": key.address, "owner": settings.owner, "settings": str(settings.state_dir / FILE)}
    if owner is None:
        text = f"{key.address} is set up. Its owner has to agree: init --print-binding"
        show({**value, "binding": "unsigned"}, as_json, text)
        return
    try:
        setup.bind(settings, key, owner)
    except MarketError as error:
        end(Exit.FAILED, f"set up, but not bound yet: {error.reason}. Run `init` again, or just `run`: it binds too.")
    text = f"{key.address} is being bound to {owner.address}; start it with: multitude worker run"
    show({**value, "binding": "sent"}, as_json, text)
