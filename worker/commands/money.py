"""earnings, claim, stake, unstake: the owner's money. Amounts are tokens ("12.5") or wei ("1000wei")."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands.words import Json, KeyFile, OwnerKey, Rpc, StateDir, Yes, agree, command, say, show, table
from worker.errors import MoneyRefused
from worker.settings import load_settings
from worker.staking import RISK, explain, tokens, wei_of
from worker.status import Totals, read_status

if TYPE_CHECKING:
    from worker.earnings import Earnings
    from worker.purse import Purse

Items = Annotated[bool, typer.Option("--items", help="List every amount with its transaction.")]


def add(app: typer.Typer) -> None:
    """Adds these commands."""
    for one in (earnings, claim, stake, unstake):
        app.command()(command(one))


def earnings(
    state_dir: StateDir = None, key_file: KeyFile = None, rpc: Rpc = None, items: Items = False, as_json: Json = False
) -> None:
    """What the owner's devices have earned: pending, claimable, bonded, withdrawn, deducted, slashed."""
    found = _purse(state_dir, key_file, rpc).earnings()
    show(found.to_json(), as_json, _earnings_text(found, items))


def claim(
    state_dir: StateDir = None,
    key_file: KeyFile = None,
    rpc: Rpc = None,
    owner_key_file: OwnerKey = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Claim what is due and take it out of the escrow. Exit status 5 where the owner's key is not on this machine."""
    purse = _purse(state_dir, key_file, rpc, owner_key_file)
    found = purse.earnings()
    if not found.claimable and not found.due:
        show({"done": [], "refused": []}, as_json, "nothing is due")
        return
    parts = f"{len(found.due)} receipts to claim, {tokens(found.credited)} credited"
    say(f"{tokens(found.claimable)} to {found.owner}: {parts}")
    purse.sender()
    agree("Claim and withdraw?", yes)
    done = purse.claim(found)
    value = {"done": [item.to_json() for item in done.done], "refused": list(done.refused)}
    lines = [f"{item.kind} {tokens(item.wei)} in {item.tx}" for item in done.done]
    show(value, as_json, "\n".join(lines + [f"not yet: {reason}" for reason in done.refused]))


def stake(
    amount: Annotated[str, typer.Argument(help="How much more, as 12.5 or 1000wei.")],
    state_dir: StateDir = None,
    key_file: KeyFile = None,
    rpc: Rpc = None,
    owner_key_file: OwnerKey = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Put the owner's tokens behind the device: less of its work is replayed. Says first what that does."""
    wei = _amount(amount)
    purse = _purse(state_dir, key_file, rpc, owner_key_file)
    purse.sender()
    now, _ = _standing(purse)
    say(explain(now, now + wei, _totals(purse).task_price_wei, purse.minimum_stake()))
    say(RISK)
    agree(f"Stake {tokens(wei)} on {purse.device}?", yes)
    item = purse.stake(wei)
    show({"done": [item.to_json()]}, as_json, f"staked {tokens(wei)} in {item.tx}")


def unstake(
    amount: Annotated[str | None, typer.Argument(help="How much of it (all), as 12.5 or 1000wei.")] = None,
    state_dir: StateDir = None,
    key_file: KeyFile = None,
    rpc: Rpc = None,
    owner_key_file: OwnerKey = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Ask stake back, see how long it takes, and take it out once it is over: the same command each time."""
    purse = _purse(state_dir, key_file, rpc, owner_key_file)
    facts, now = purse.standing(), purse.client.head().timestamp
    unbonding, over_at = int(facts["unbonding"]), int(facts["unbondsAt"])
    if amount is None and unbonding:
        left = over_at - now
        if left > 0:
            text = f"{tokens(unbonding)} unbonding, slashable until {_utc(over_at)}, {_length(left)} left"
            show({"unbonding_wei": str(unbonding), "seconds_left": left}, as_json, text)
            return
        agree(f"Take {tokens(unbonding)} out to {facts['owner']}?", yes)
        item = purse.finish_unbonding()
        show({"done": [item.to_json()]}, as_json, f"took out {tokens(unbonding)} in {item.tx}")
        return
    _start_unbonding(purse, amount, yes, as_json)


# --- inside


def _start_unbonding(purse: "Purse", amount: str | None, yes: bool, as_json: bool) -> None:
    now, unbonding = _standing(purse)
    wei = now if amount is None else _amount(amount)
    if not wei or wei > now:
        raise MoneyRefused(f"the device has {tokens(now)} of stake to ask back")
    purse.sender()
    say(explain(now, now - wei, _totals(purse).task_price_wei, purse.minimum_stake()))
    if unbonding:
        say(f"Warning: {tokens(unbonding)} is unbonding already, and its time starts again with this.")
    agree(f"Ask {tokens(wei)} back?", yes)
    item = purse.start_unbonding(wei)
    over_at = int(purse.standing()["unbondsAt"])
    left = over_at - purse.client.head().timestamp
    text = f"unbonding {tokens(wei)} in {item.tx}; {_length(left)} left: run `unstake` again after {_utc(over_at)}"
    show({"done": [item.to_json()], "seconds_left": left}, as_json, text)


def _purse(state_dir: Any, key_file: Any, rpc: Any, owner_key_file: Any = None) -> "Purse":
    from worker.purse import Purse

    overrides = {"key_file": key_file, "rpc_url": rpc, "owner_key_file": owner_key_file}
    return Purse(load_settings(state_dir, overrides))


def _standing(purse: "Purse") -> tuple[int, int]:
    """Stake and unbonding stake; a convicted or unbound device can have neither changed."""
    facts = purse.standing()
    if facts["convicted"]:
        raise MoneyRefused("this device was convicted: its stake is gone, and no stake brings it back")
    if int(str(facts["owner"]), 16) == 0:
        raise MoneyRefused("this device has no owner yet: run `init`")
    return int(facts["stake"]), int(facts["unbonding"])


def _totals(purse: "Purse") -> Totals:
    said = read_status(purse.settings.journal_folder(purse.device))
    return said.totals if said else Totals()


def _amount(text: str) -> int:
    try:
        wei = wei_of(text)
    except ValueError as error:
        raise MoneyRefused(str(error)) from None
    if not 0 < wei < 1 << 128:
        raise MoneyRefused(f"{text} is not an amount that can be staked")
    return wei


def _earnings_text(found: "Earnings", items: bool) -> str:
    names = ("pending", "due", "earned", "deducted", "bonded", "paid", "voided", "slashed", "stake")
    rows: list[tuple[Any, ...]] = [("device", *names)]
    rows += [(one.device, *(tokens(getattr(one, name))[:-5] for name in names)) for one in found.devices]
    if len(found.devices) > 1:
        rows.append(("all", *(tokens(found.total(name))[:-5] for name in names)))
    lines = [
        f"owner {found.owner}, amounts in MANY",
        table(rows),
        f"claimable {tokens(found.claimable)} (credited {tokens(found.credited)}), withdrawn {tokens(found.withdrawn)}",
        *found.notes,
    ]
    if items:
        listed = [(one.kind, tokens(one.wei), one.tx or "", one.device or "", one.note or "") for one in found.items]
        lines.append(table(listed))
    return "\n".join(lines)


def _length(seconds: int) -> str:
    hours, rest = divmod(max(0, seconds), 3_600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {rest // 60} min {rest % 60} s"


def _utc(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))
