"""The command line. Commands of an actor are loaded only when one of them is called."""

import importlib
import sys

import typer

from chain.errors import ChainError
from multitude.audit.commands import app as audit
from multitude.build import commands as build
from multitude.buyer.commands import app as job
from multitude.errors import MultitudeError

ACTORS = {
    "worker": "Lend this machine: keys, offers, a device's agent.",
    "verifier": "Hold seats and replay what is drawn.",
    "market": "Run a market: API, settlement, migrations.",
}
"""Actors whose `cli` module may be installed; the extras [worker], [verifier] and [market] bring them."""


app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
app.add_typer(job, name="job")
build.mount(app)
app.add_typer(audit, name="audit")


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


def main() -> None:
    """Entry point of `multitude`; errors that a user can act on come as one line."""
    try:
        app()
    except (MultitudeError, ChainError) as error:
        typer.echo(f"multitude: {error}", err=True)
        sys.exit(1)
