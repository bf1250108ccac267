"""How quotes, jobs and receipts look to people: amounts, cards for notebooks, a progress bar. All is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from html import escape
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

TOKEN_WEI = 10**18

_STYLE = "border-collapse:collapse;font-size:90%"
_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top"


def tokens(wei: int) -> str:
    """Token wei as tokens, to six digits: what is exact is in JSON."""
    return f"{Context(prec=6).divide(Decimal(wei), TOKEN_WEI).normalize():,f} MANY"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{max(seconds, 0.1):.1f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def html_card(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A small table of names and values as HTML."""
    body = "".join(
        f'<tr><th style="{_CELL}">{escape(name)}</th><td style="{_CELL}">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return _html(title, body)


def html_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head as HTML."""
    top = "".join(f'<th style="{_CELL}">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{escape(value)}</td>' for value in row) + "</tr>" for row in rows
    )
    return _html(title, f"<tr>{top}</tr>{body}")


def _html(title: str, body: str) -> str:
    caption = f'<caption style="text-align:left"><b>{escape(title)}</b></caption>'
    return f'<table style="{_STYLE}">{caption}{body}</table>'


class ProgressBar:
    """How many tasks of a job are accepted, attested and final, drawn on a console while it is waited for."""

    def __init__(self, task_count: int, console: Console | None = None) -> None:
        columns = (TextColumn("{task.description:<9}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console)
        self._rows = {
            name: self._progress.add_task(name, total=task_count) for name in ("accepted", "attested", "final")
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, reached: Mapping[str, int]) -> None:
        """Moves the bars to the numbers of tasks that have reached each state."""
        for name, row in self._rows.items():
            self._progress.update(row, completed=reached.get(name, 0))
