"""What a parallel search came to: a table, and a plot in SVG and PNG or as text."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from programs.trainer.reference import VALIDATION

MATPLOTLIB_CACHE = Path(__file__).resolve().parents[1] / "var" / "cache" / "matplotlib"


@dataclass(frozen=True)
class Answer:
    """A delivered task: seconds since the bid, its index, its output."""

    seconds: float
    task: int
    output: bytes

    @property
    def right(self) -> int:
        """Right answers on the validation images."""
        return int.from_bytes(self.output[:4], "little")


@dataclass(frozen=True)
class Search:
    """One search by so many devices; the answers in the order of their arrival."""

    devices: int
    answers: tuple[Answer, ...]

    @property
    def seconds(self) -> float:
        """From the bid to the last answer."""
        return self.answers[-1].seconds

    @property
    def best(self) -> Answer:
        """The winner; of equal ones the first in the search's order, which no timing changes."""
        return min(self.answers, key=lambda answer: (-answer.right, answer.task))

    def best_after(self, seconds: float) -> float | None:
        """The best validation accuracy that was known by then."""
        known = [answer.right for answer in self.answers if answer.seconds <= seconds]
        return max(known) / VALIDATION if known else None

    def done_after(self, seconds: float) -> int:
        """Answers that were there by then."""
        return sum(answer.seconds <= seconds for answer in self.answers)


def table(searches: Sequence[Search], after: float) -> str:
    """Time and speed of the search, and the best accuracy after so many seconds."""
    lines = [f"devices   seconds   times as quick   best after {after:g} s"]
    for one in searches:
        best = one.best_after(after)
        shown = "nothing yet" if best is None else f"{best:.1%}"
        lines.append(f"{one.devices:7}   {one.seconds:7.1f}   {searches[0].seconds / one.seconds:14.2f}   {shown:>16}")
    return "\n".join(lines)


def steps(one: Search) -> Iterator[tuple[float, float]]:
    """(seconds, accuracy) each time that a better network was found."""
    best = -1
    for answer in one.answers:
        if answer.right > best:
            best = answer.right
            yield answer.seconds, best / VALIDATION


def text_plot(searches: Sequence[Search], width: int = 60) -> str:
    """Answers against time, a line for each search: each column is the share done, in tenths."""
    end = max(one.seconds for one in searches)
    lines = ["share of the search done (0 to 9, * all), from the bid to the end of the slowest:"]
    for one in searches:
        shown = ""
        for column in range(1, width + 1):
            done = one.done_after(end * column / width)
            shown += "*" if done == len(one.answers) else str(10 * done // len(one.answers))
        lines.append(f"{one.devices:2} devices |{shown}| {one.seconds:.1f} s")
    return "\n".join(lines)


def plot(searches: Sequence[Search], path: Path) -> Path | None:
    """Draws the searches to `path` (SVG) and beside it as PNG; None where matplotlib is not installed."""
    os.environ.setdefault("MPLCONFIGDIR", str(MATPLOTLIB_CACHE))
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return None
    mpl.use("Agg")  # no window
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
    for one in searches:
        at, best = zip(*[*steps(one), (one.seconds, one.best.right / VALIDATION)], strict=True)
        left.step(at, best, where="post", label=f"{one.devices} devices")
        right.plot([a.seconds for a in one.answers], range(1, len(one.answers) + 1), label=f"{one.devices} devices")
    left.set(xlabel="seconds since the bid", ylabel="best validation accuracy")
    right.set(xlabel="seconds since the bid", ylabel="networks trained")
    left.legend()
    right.legend()
    figure.tight_layout()
    figure.savefig(path)
    figure.savefig(path.with_suffix(".png"), dpi=120)
    return path
