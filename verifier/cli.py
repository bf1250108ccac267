"""The verifier's commands."""

import threading
from typing import Annotated

import typer

from verifier.settings import settings

app = typer.Typer(help="Hold seats, replay what they are drawn for, vote. Settings come from VERIFIER_* variables.")


@app.callback()
def verifier() -> None:
    """Hold seats, replay what they are drawn for, vote."""


@app.command()
def run() -> None:
    """Run the agent until SIGINT or SIGTERM. Replays are done by `celery -A verifier.celery:app worker`."""
    from verifier.agent import Agent, install_signal_handlers
    from verifier.celery import replay
    from verifier.context import Context

    stop = threading.Event()
    install_signal_handlers(stop)

    def dispatch(scope: bytes, epoch_id: int, head_hash: bytes, leaf_number: int, positions: list[int]) -> None:
        replay.delay(scope.hex(), epoch_id, head_hash.hex(), leaf_number, positions)

    Agent(Context(settings()), dispatch).run(stop)


@app.command()
def address(verbose: Annotated[bool, typer.Option(help="Also say where the key lies.")] = False) -> None:
    """Print the address that holds the seats."""
    typer.echo(settings().address + (f"  {settings().key_file}" if verbose else ""))
