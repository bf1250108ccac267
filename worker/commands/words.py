"""What commands share: the state folder, a yes, JSON or text, and how errors end them."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec

import typer

from worker.errors import KeyElsewhere, WorkerError
from worker.exits import Exit

P = ParamSpec("P")

StateDir = Annotated[
    Path | None, typer.Option("--state-dir", envvar="WORKER_STATE_DIR", help="Where settings, journal and status lie.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: yes.")]
Device = Annotated[str | None, typer.Option("--device", help="One device of the folder alone, by its address.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--keystore", envvar="WORKER_KEY_FILE", help="V3 keystore, or a bare hex key of mode 0600."),
]
Rpc = Annotated[str | None, typer.Option("--rpc", envvar="WORKER_RPC_URL", help="JSON-RPC of the chain.")]
OwnerKey = Annotated[
    Path | None,
    typer.Option("--owner-keystore", envvar="WORKER_OWNER_KEY_FILE", help="The owner's key, where it is here."),
]


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Ends a command on an error that its user can act on with one line and the exit status for it."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from chain.errors import ChainError

        try:
            function(*args, **kwargs)
        except typer.Abort:
            end(Exit.DECLINED, "Nothing was done: say --yes where nobody can be asked.")
        except KeyElsewhere as error:
            end(Exit.KEY_ELSEWHERE, error.reason)
        except (WorkerError, ChainError, OSError) as error:
            end(Exit.FAILED, f"{type(error).__name__}: {error}")

    return run


def end(status: Exit, text: str) -> NoReturn:
    """Says a line and ends."""
    typer.echo(text, err=True)
    sys.exit(int(status))


def say(text: str) -> None:
    """To the person, beside what a script reads."""
    typer.echo(text, err=True)


def show(value: object, as_json: bool, text: str) -> None:
    """The answer: JSON, or the text."""
    typer.echo(json.dumps(value, indent=1) if as_json else text)


def agree(question: str, yes: bool) -> None:
    """Ends the command unless the person says yes; where nobody can be asked that is a no."""
    if not yes and not typer.confirm(question, err=True):
        end(Exit.DECLINED, "Nothing was done.")


def table(rows: list[tuple[Any, ...]]) -> str:
    """Rows as columns."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)] if rows else []
    return "\n".join("  ".join(str(c).ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
