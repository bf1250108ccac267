"""The worker's command line: `python -m worker run` and, through the public face, `multitude worker run`."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from worker.errors import WorkerError
from worker.keystore import create_keystore, find_passphrase
from worker.policy import Policy
from worker.service import MakeRunner, run_device, sandbox_runner
from worker.settings import Settings, default_state_dir

Market = Annotated[
    list[str] | None,
    typer.Option("--market", envvar="WORKER_MARKET_URL", help="The market's URL; several may be given."),
]
KeyFile = Annotated[
    Path, typer.Option("--keystore", envvar="WORKER_KEY_FILE", help="V3 keystore, or a bare hex key of mode 0600.")
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", envvar="WORKER_STATE_DIR", help="Where the journal and the pause lie.")
]
MinPrice = Annotated[
    int, typer.Option("--min-price", envvar="WORKER_MIN_PRICE_WEI_PER_GWU", help="Least price in token wei per GWU.")
]
Cpus = Annotated[int, typer.Option("--cpus", envvar="WORKER_CPUS", help="Tasks run at a time.")]
MemoryPages = Annotated[
    int | None, typer.Option("--memory-pages", envvar="WORKER_MEMORY_PAGES", help="Most memory of a task, in 64 KiB.")
]
OwnerAddress = Annotated[
    str | None, typer.Option("--owner", envvar="WORKER_OWNER", help="The owner that this device is to be bound to.")
]
OwnerKey = Annotated[
    Path | None,
    typer.Option(
        "--owner-keystore", envvar="WORKER_OWNER_KEY_FILE", help="The owner's key, to consent to the binding."
    ),
]
BindingFile = Annotated[
    Path | None,
    typer.Option(
        "--binding", envvar="WORKER_BINDING_FILE", help='{"owner", "ownerSignature"}: consent given elsewhere.'
    ),
]


def build_app(make_runner: MakeRunner = sandbox_runner) -> typer.Typer:
    """The commands of a device that runs its tasks with this runner."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
        help="A device: pulls work, runs it, earns.",
    )

    @app.command()
    def run(
        key_file: KeyFile,
        market: Market = None,
        state_dir: StateDir = None,
        min_price: MinPrice = 1,
        cpus: Cpus = 1,
        memory_pages: MemoryPages = None,
        owner: OwnerAddress = None,
        owner_key_file: OwnerKey = None,
        binding_file: BindingFile = None,
    ) -> None:
        """Work for the market until Ctrl-C: once to finish the lease first, twice to stop at once."""
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        urls = tuple(url for item in market or () for url in item.replace(",", " ").split())
        folder = state_dir or default_state_dir()
        consent = (owner, owner_key_file, binding_file)
        try:
            settings = Settings(urls, key_file, folder, min_price, cpus, memory_pages, *consent)
            typer.echo(f"stopped: {run_device(settings, make_runner)}")
        except (WorkerError, OSError) as error:
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            sys.exit(1)

    @app.command()
    def pause(state_dir: StateDir = None) -> None:
        """Take no new lease from now on, in every agent on this folder."""
        _policy(state_dir).pause()

    @app.command()
    def resume(state_dir: StateDir = None) -> None:
        """End the pause."""
        _policy(state_dir).resume()

    @app.command()
    def keygen(key_file: KeyFile) -> None:
        """Make a new device key in a V3 keystore."""
        try:
            typer.echo(create_keystore(key_file, find_passphrase(key_file, key_file.name)).address)
        except WorkerError as error:
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            sys.exit(1)

    return app


def _policy(state_dir: Path | None) -> Policy:
    return Policy(state_dir or default_state_dir(), 0, 1, 1)


app = build_app()


def main() -> None:
    """The entry point."""
    app()
