"""The dishonest device of the example job and the attack tests: it invents every second result of a span.

It is the honest agent with another runner: the agent, its journal and the market know nothing of lying. What was
invented goes into a file of its own, which only the final report reads. `python -m deploy.local.liar run` takes the
options of `python -m worker run`; LIAR_FILE names the file.
"""

import json
import os
from pathlib import Path
from random import Random
from typing import Any

from protocol.encoding import from_hex, to_hex
from protocol.merkle import Status
from worker.cli import build_app
from worker.runner import Outcome, Runner
from worker.service import sandbox_runner
from worker.settings import Settings
from worker.work import Task, Work

LIAR_FILE_VARIABLE = "LIAR_FILE"
CLASSES = 10


class LyingRunner:
    """Runs the odd tasks of each span (counted from 1) not at all: their outputs look like those of the others.

    Asked for the same task again, it tells the same lie: its own agent signs no task in two ways.
    """

    def __init__(self, honest: Runner, lies_file: Path, rng: Random | None = None) -> None:
        self._honest = honest
        self._lies_file = lies_file
        self._rng = rng or Random()
        self._told = {
            (lie["job"], lie["task"]): Outcome(Status.OK, from_hex(lie["output"]), lie["wu"])
            for lie in read_lies(lies_file)
        }

    def run(self, work: Work) -> list[Outcome]:
        """Outcomes in task order, every second one of a span made up. Raises DeviceFailure."""
        lied = {task.index for task in work.tasks if task.index % work.bid.span_tasks % 2 == 0}
        kept = tuple(task for task in work.tasks if task.index not in lied) or work.tasks
        computed = self._honest.run(Work(work.bid, work.program, kept))
        true = dict(zip([task.index for task in kept], computed, strict=True))
        templates = [outcome for outcome in computed if outcome.status is Status.OK] or computed
        return [true.get(task.index) or self._lie(work, task, templates) for task in work.tasks]

    @property
    def tasks_done(self) -> int:
        """As the honest runner counts."""
        return self._honest.tasks_done

    def abort(self) -> None:
        """As the honest runner does."""
        self._honest.abort()

    def close(self) -> None:
        """As the honest runner does."""
        self._honest.close()

    def _lie(self, work: Work, task: Task, templates: list[Outcome]) -> Outcome:
        key = (to_hex(work.bid.job_id), task.index)
        if key not in self._told:
            template = self._rng.choice(templates)
            outcome = Outcome(Status.OK, invented(template.output, self._rng), template.wu)
            line = {"job": key[0], "task": task.index, "output": to_hex(outcome.output), "wu": outcome.wu}
            with self._lies_file.open("a") as file:
                file.write(json.dumps(line) + "\n")
            self._told[key] = outcome
        return self._told[key]


def invented(output: bytes, rng: Random) -> bytes:
    """A well-formed output of another class than the given one: a class byte, then one score of each class.

    Its scores are the given ones dealt out anew, the highest to the class that it names.
    """
    scores, rest = output[1:], (len(output) - 1) % CLASSES
    if not scores or rest or output[0] >= CLASSES:
        return bytes([(output[0] if output else 0) ^ (1 + rng.randrange(255))]) + scores
    width = len(scores) // CLASSES
    dealt = [scores[start : start + width] for start in range(0, len(scores), width)]
    highest = dealt.pop(output[0])
    rng.shuffle(dealt)
    named = rng.choice([number for number in range(CLASSES) if number != output[0]])
    dealt.insert(named, highest)
    return bytes([named]) + b"".join(dealt)


def read_lies(path: Path) -> list[dict[str, Any]]:
    """What was invented so far: job, task, output and WU of each; empty where there is no such file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def lying_runner(settings: Settings) -> Runner:
    """The liar's runner, over the one that every device has."""
    lies_file = Path(os.environ.get(LIAR_FILE_VARIABLE) or settings.state_dir / "lies.jsonl")
    lies_file.parent.mkdir(parents=True, exist_ok=True)
    return LyingRunner(sandbox_runner(settings), lies_file)


if __name__ == "__main__":
    build_app(lying_runner)()
