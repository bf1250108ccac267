"""The command line. Commands of an actor are loaded only when one of them is called."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from chain.errors import ChainError
from multitude.audit.commands import app as audit
from multitude.errors import MultitudeError

ACTORS = {
    "worker": "Lend this machine: keys, offers, a device's agent.",
    "verifier": "Hold seats and replay what is drawn.",
    "market": "Run a market: API, settlement, migrations.",
}
"""Actors whose `cli` module may be installed; the extras [worker], [verifier] and [market] bring them."""


app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
job = typer.Typer(no_args_is_help=True, help="Buy work: submit jobs and watch them.")
app.add_typer(job, name="job")
app.add_typer(audit, name="audit")

Api = Annotated[str, typer.Option(envvar="MULTITUDE_API", help="address of the market")]
Rpc = Annotated[str, typer.Option(envvar="MULTITUDE_RPC", help="JSON-RPC of the chain")]
KeyFile = Annotated[Path, typer.Option(envvar="MULTITUDE_KEY_FILE", help="file with the buyer's private key in hex")]


@app.callback()
def root() -> None:
    """Multitude: idle devices as one verified computer."""


def _add_actor(name: str, text: str) -> None:
    """A command that hands its arguments, `--help` too, to the actor's own command line, imported at that moment."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

    @app.command(name, help=text, context_settings=settings)
    def run(context: typer.Context) -> None:
        try:
            actor = importlib.import_module(f"{name}.cli")
        except ModuleNotFoundError as error:
            typer.echo(f"multitude {name}: {error}: pip install 'multitude[{name}]'", err=True)
            raise typer.Exit(2) from None
        actor.app(context.args, prog_name=f"multitude {name}")


for _name, _text in ACTORS.items():
    _add_actor(_name, _text)


@job.command()
def submit(
    program: Annotated[str, typer.Argument(help="id of the program")],
    inputs: Annotated[Path, typer.Argument(help="folder with one file for each task, in the order of names")],
    api: Api,
    rpc: Rpc,
    key_file: KeyFile,
    rate_floor_ppm: Annotated[int, typer.Option(help="least share of tasks to be replayed")] = 10_000,
    deposit: Annotated[bool, typer.Option(help="deposit what the budget lacks first")] = False,
) -> None:
    """Submit one task for each file of a folder. Inputs and outputs are public."""
    from multitude.client import Client, key_of
    from multitude.pricing import Terms

    data = [path.read_bytes() for path in sorted(inputs.iterdir()) if path.is_file()]
    terms = Terms(rate_floor_ppm=rate_floor_ppm)
    with Client(api, key_of(key_file.read_text().strip()), rpc) as client:
        made = client.submit(program, data, terms, deposit=deposit)
        typer.echo(made.job_id)


@job.command()
def watch(
    job_id: str,
    api: Api,
    rpc: Rpc,
    key_file: KeyFile,
    outputs: Annotated[Path | None, typer.Option(help="folder for the outputs, once every task is final")] = None,
    timeout_s: Annotated[float, typer.Option(help="seconds to wait")] = 3_600,
) -> None:
    """Wait until every task of a job is final; write the verified outputs."""
    from multitude.client import Client, key_of

    console = Console(stderr=True)
    with Client(api, key_of(key_file.read_text().strip()), rpc) as client, console.status("waiting") as line:
        made = client.job(job_id)
        made.wait(timeout_s, lambda status: line.update(f"{status['state']} {status['tasks']}"))
        results = made.results()
    if outputs is not None:
        outputs.mkdir(parents=True, exist_ok=True)
        for task, output in enumerate(results):
            (outputs / f"{task:06d}").write_bytes(output)
    typer.echo(f"{len(results)} tasks are final and verified")


def main() -> None:
    """Entry point of `multitude`; errors that a user can act on come as one line."""
    try:
        app()
    except (MultitudeError, ChainError) as error:
        typer.echo(f"multitude: {error}", err=True)
        sys.exit(1)
