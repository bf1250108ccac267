"""`python -m deploy.contracts.stand settler|verifier`: puts up what that role must stake, on any deployment.

Tokens come from the deployment's faucet where the account holds too few. Exit status: 0 staked, 2 something is missing.
"""

import argparse
import sys
from pathlib import Path

from eth_account import Account

from chain.client import ChainClient
from chain.deployment import Deployment
from chain.errors import ChainError
from chain.sender import Sender
from deploy.contracts.keyfile import read_key

TOKEN = "MultitudeToken"  # noqa: S105 - a contract's name
SETTLER_FEE_PPM = 10_000
MINED_S = 300.0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m deploy.contracts.stand", description=__doc__)
    parser.add_argument("role", choices=["settler", "verifier"])
    parser.add_argument("--rpc", required=True, help="JSON-RPC URLs, with commas between them")
    parser.add_argument("--deployment", type=Path, required=True, help="the deployment's file")
    parser.add_argument("--key-file", type=Path, required=True, help="the role's key in hex; mode 0600")
    parser.add_argument("--seats", type=int, default=3, help="a verifier's seats")
    parser.add_argument("--fee-ppm", type=int, default=SETTLER_FEE_PPM, help="a settler's fee")
    return parser.parse_args(arguments)


def stand(sender: Sender, role: str, seats: int, fee_ppm: int) -> int:
    """Stake as the role; the token wei that were staked. Raises ChainError."""
    deployment = sender.client.deployment
    settles = role == "settler"
    unit = int(deployment.parameters["settler_bond_wei" if settles else "seat_stake_wei"])
    stake = unit if settles else seats * unit
    if int(sender.client.call(TOKEN, "balanceOf", sender.address)) < stake:
        sender.send("Faucet", "drip", sender.address)
    sender.send(TOKEN, "approve", deployment.address("Seats"), stake)
    if settles:
        sender.send("Seats", "depositBond", stake, fee_ppm)
    else:
        sender.send("Seats", "join", seats, sender.address)
    return stake


def main(arguments: list[str]) -> int:
    """Stake; the exit status."""
    options = parse(arguments)
    try:
        client = ChainClient(options.rpc, Deployment.load(options.deployment))
        sender = Sender(client, Account.from_key(read_key(options.key_file)), MINED_S)
        stake = stand(sender, options.role, options.seats, options.fee_ppm)
    except (ChainError, ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"{sender.address} has staked {stake} wei as a {options.role}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
