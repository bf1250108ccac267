"""`python -m deploy.contracts`: deploys the market to a running chain, as docs/testnet.md describes.

Exit status: 0 deployed, 1 Brownie failed (its output says why), 2 the options or the node are no good.
"""

import argparse
import sys
from pathlib import Path

from chain.client import ChainClient
from chain.deployment import VARIABLE, Deployment
from chain.errors import ChainError
from deploy.contracts.keyfile import read_key
from deploy.contracts.parameters import PARAMETERS_VARIABLE, PROFILE_VARIABLE, Parameters, ParametersInvalidError
from deploy.local.profiles import UnknownProfileError
from deploy.toolchain import ROOT
from deploy.toolchain.brownie import Target, run_brownie


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m deploy.contracts", description=__doc__)
    parser.add_argument("--rpc", required=True, help="JSON-RPC URL of one node")
    parser.add_argument("--key-file", type=Path, required=True, help="the deployer's key in hex; mode 0600")
    parser.add_argument("--profile", default="public", help="which clocks: public, testnet or local")
    parser.add_argument("--parameters", default="{}", help="JSON object of parameters that differ from the profile's")
    parser.add_argument("--out", type=Path, help="file to write, deploy/addresses/<chain id>.json if none is named")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Deploy; the exit status."""
    options = parse(arguments)
    settings = {PROFILE_VARIABLE: options.profile, PARAMETERS_VARIABLE: options.parameters}
    try:
        Parameters.from_environment(settings)
        key = read_key(options.key_file)
        chain_id = ChainClient(options.rpc, Deployment(0, 0, {})).chain_id()
    except (UnknownProfileError, ParametersInvalidError, ValueError, OSError, ChainError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    out = options.out or ROOT / "deploy" / "addresses" / f"{chain_id}.json"
    settings |= {VARIABLE: str(out.resolve()), "MULTITUDE_DEPLOYER_KEY": key}
    command = ["run", "deploy", "--network", "target"]
    return 1 if run_brownie(command, target=Target(options.rpc, chain_id), environment=settings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
