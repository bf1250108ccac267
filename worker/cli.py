"""The worker's command line: `python -m worker ...` and, through the public face, `multitude worker ...`."""

import typer

from worker.commands import money, starting, working
from worker.service import MakeRunner, sandbox_runner

HELP = """A device: pulls work, runs it, earns. Begin with init.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 no agent runs, 4 you said no, 5 the owner's key is not here."""


def build_app(make_runner: MakeRunner = sandbox_runner) -> typer.Typer:
    """The commands of a device that runs its tasks with this runner."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        help=HELP,
    )
    starting.add(app)
    working.add(app, make_runner)
    money.add(app)
    return app


app = build_app()


def main() -> None:
    """The entry point."""
    app()
