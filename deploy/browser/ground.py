"""A whole local network that serves the web app, with a story behind it: for browser tests and for the screenshots."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from rich.console import Console

from deploy.local.mainjob.cast import make_cast
from deploy.local.mainjob.play import Play
from deploy.local.network import LocalNetwork
from deploy.local.profiles import LOCAL
from market.web import BUILT
from multitude import Job, Terms

FIRST_JOB_TASKS = 120
FIRST_JOB_SPAN_TASKS = 4
FIRST_JOB_SECONDS = 150
FIRST_JOB_RATE_FLOOR_PPM = 500_000
"""High enough that what the liar makes up is drawn."""


class Ground:
    """A network with a liar, and a first job on it: once that is paid, a panel has convicted the liar."""

    first_job: Job

    def __init__(self, folder: Path, console: Console) -> None:
        self.network = LocalNetwork(LOCAL, folder)
        self.play = Play(self.network, make_cast(True), console, time.monotonic())

    @property
    def url(self) -> str:
        """Where the app is, without a slash at its end."""
        return self.play.api_url

    def raise_all(self) -> None:
        """Everybody is there, and the first job is submitted."""
        self.play.raise_market()
        self.play.raise_others()
        images = Random(4).sample(self.play.work.inputs, FIRST_JOB_TASKS)
        terms = Terms(span_tasks=FIRST_JOB_SPAN_TASKS, rate_floor_ppm=FIRST_JOB_RATE_FLOOR_PPM)
        self.first_job = self.play.buyer.submit(self.play.program_id, images, terms, deposit=True)

    def wait_for_first_job(self) -> None:
        """Until it is closed on chain. Raises TookTooLong."""
        self.play.wait_for(lambda: self.play.is_closed(self.first_job), FIRST_JOB_SECONDS, "the first job to be paid")


@contextmanager
def raised(folder: Path, console: Console) -> Iterator[Ground]:
    """A ground that is up for as long as it is looked at. FileNotFoundError where the web app was not built."""
    if not (BUILT / "index.html").is_file():
        raise FileNotFoundError("the web app is not built: make setup")
    ground = Ground(folder, console)
    with ground.network:
        ground.raise_all()
        yield ground
