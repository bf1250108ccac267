"""What the chain says about gas and about money: gas by function, and that every contract holds what it owes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from chain import abi
from chain.client import ChainClient, Transaction
from chain.codec import Decoded, Event
from chain.errors import RpcFailed

TOKEN = "MultitudeToken"  # noqa: S105 - a contract's name
WITHOUT_TOKENS = ("EpochLedger", "Attestations", "Panel", "ProgramRegistry", "BlockBeacon")
"""Contracts that never hold a token."""


class GasLine(NamedTuple):
    """Transactions to one function, reverted ones included, and the gas that they used."""

    calls: int
    gas: int


class Holding(NamedTuple):
    """A contract's balance beside the sum of what it records as owed, both in wei of `coin` ("token" or "native")."""

    contract: str
    coin: str
    balance: int
    owed: int

    @property
    def holds(self) -> bool:
        """Whether not a wei is missing or too many."""
        return self.balance == self.owed


def gas_report(
    client: ChainClient,
    from_block: int,
    to_block: int | None = None,
    first: bytes | None = None,
    last: bytes | None = None,
) -> dict[str, GasLine]:
    """gasUsed of every transaction to our contracts from one block to another (the head), by "Contract.function".

    `first` and `last` are transactions to begin with and to end with, where the whole blocks would be too much. Raises
    RpcFailed where a receipt is gone meanwhile.
    """
    lines: dict[str, GasLine] = {}
    found = client.transactions(from_block, client.head().number if to_block is None else to_block)
    for transaction in _between(found, first, last):
        receipt = client.receipt(transaction.tx_hash)
        if receipt is None:
            raise RpcFailed(f"no receipt of 0x{transaction.tx_hash.hex()}")
        contract = client.deployment.names[transaction.to]
        name = f"{contract}.{abi.load(contract).function_name(transaction.data)}"
        calls, gas = lines.get(name, GasLine(0, 0))
        lines[name] = GasLine(calls + 1, gas + receipt.gas_used)
    return lines


def _between(transactions: Iterable[Transaction], first: bytes | None, last: bytes | None) -> Iterator[Transaction]:
    begun = first is None
    for transaction in transactions:
        begun = begun or transaction.tx_hash == first
        if begun:
            yield transaction
        if transaction.tx_hash == last:
            return


def conserved(client: ChainClient) -> bool:
    """Whether every contract holds exactly what it owes."""
    return all(holding.holds for holding in holdings(client))


def holdings(client: ChainClient) -> tuple[Holding, ...]:
    """Every contract's balances and obligations at the head, from views for whomever its events name."""
    head = client.head()
    read = _Reader(client, head.hash, client.logs(client.deployment.deploy_block, head.number))
    owed: Mapping[str, Callable[[_Reader], int]] = {
        "JobEscrow": _escrow_owes,
        "StakeVault": _vault_owes,
        "Seats": _seats_owe,
    }
    there = client.deployment.contracts
    lines = [Holding(name, "token", read.tokens(name), owes(read)) for name, owes in owed.items() if name in there]
    lines += [Holding(name, "token", read.tokens(name), 0) for name in WITHOUT_TOKENS if name in there]
    for name in there:
        coins = _panel_owes(read) if name == "Panel" else 0
        lines.append(Holding(name, "native", read.coins(name), coins))
    supply = read.call(TOKEN, "SUPPLY")
    lines.append(Holding(TOKEN, "token", supply - read.call(TOKEN, "totalSupply"), _burned(read)))
    return tuple(lines)


class _Reader:
    """Views and balances at one block, and the events up to it."""

    def __init__(self, client: ChainClient, block: bytes, events: Iterable[Event]) -> None:
        self._client = client
        self._block = block
        self._events = list(events)

    def call(self, contract: str, function: str, *args: object) -> Decoded:
        return self._client.call(contract, function, *args, block=self._block)

    def tokens(self, contract: str) -> int:
        return int(self.call(TOKEN, "balanceOf", self._client.deployment.address(contract)))

    def coins(self, contract: str) -> int:
        address = self._client.deployment.address(contract)
        return int(self._client.rpc("eth_getBalance", [address, {"blockHash": "0x" + self._block.hex()}]), 16)

    def named(self, contract: str, argument: str, *events: str) -> set[Decoded]:
        """Values that an argument took in these events."""
        return {event.args[argument] for event in self.events(contract, *events)}

    def events(self, contract: str, *names: str) -> list[Event]:
        return [event for event in self._events if event.contract == contract and event.name in names]


def _escrow_owes(read: _Reader) -> int:
    accounts = read.named("JobEscrow", "buyer", "Deposited", "JobOpened")
    accounts |= {account for event in read.events("JobEscrow", "JobSettled") for account in event.args["accounts"]}
    jobs = [read.call("JobEscrow", "jobOf", job) for job in read.named("JobEscrow", "jobId", "JobOpened")]
    balances = sum(read.call("JobEscrow", "balanceOf", account) for account in accounts)
    return int(balances + sum(job["available"] + job["debited"] for job in jobs))


def _vault_owes(read: _Reader) -> int:
    devices = [read.call("StakeVault", "deviceOf", device) for device in read.named("StakeVault", "device", "Bound")]
    return int(sum(device["stake"] + device["unbonding"] for device in devices))


def _seats_owe(read: _Reader) -> int:
    stake = read.call("Seats", "seatStake")
    verifiers = [read.call("Seats", "verifierOf", v) for v in read.named("Seats", "verifier", "SeatsJoined")]
    settlers = [read.call("Seats", "settlerOf", s) for s in read.named("Seats", "settler", "BondDeposited")]
    earned = sum(read.call("Seats", "earned", account) for account in read.named("Seats", "account", "Credited"))
    seats = sum(verifier["seats"] * stake + verifier["unbonding"] for verifier in verifiers)
    return int(seats + sum(settler["bond"] + settler["unbonding"] for settler in settlers) + earned)


def _panel_owes(read: _Reader) -> int:
    """Native coin: what accounts may withdraw, and the bonds of games that are not resolved."""
    open_games = read.named("Panel", "gameId", "ChallengeOpened") - read.named("Panel", "gameId", "ChallengeResolved")
    bond = read.call("Panel", "challengeBond")
    total = sum(read.call("Panel", "owed", account) for account in read.named("Panel", "account", "Owed"))
    for game in (read.call("Panel", "gameOf", game_id) for game_id in open_games):
        total += (0 if game["seatBond"] else bond) + (2 * bond if int(game["appellant"], 16) else 0)
    return int(total)


def _burned(read: _Reader) -> int:
    gone = read.events(TOKEN, "Transfer")
    return sum(int(event.args["value"]) for event in gone if int(event.args["to"], 16) == 0)
