"""The work: the real images, what a plain-Python network says of them, and what a task costs."""

from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import NamedTuple

from execution.sandbox import Sandbox
from programs.catalogue import CATALOGUE
from programs.digits import reference
from protocol.merkle import words_root
from protocol.money import WU_PER_GWU

PROGRAM = "digits"
SPAN_TASKS = 16
RATE_FLOOR_PPM = 100_000
MAX_PRICE_WEI_PER_GWU = 10**18
SAMPLES = 32


class Accuracy(NamedTuple):
    """Right answers on images that the network was not trained on, over their number."""

    share: float
    held_out: int


class Work:
    """The inputs of the job and the truth about them."""

    @cached_property
    def inputs(self) -> Sequence[bytes]:
        """The images, 64 bytes each."""
        from programs.digits import dataset  # scikit-learn takes its time

        return dataset.images()

    def prepare(self) -> None:
        """Load and compute everything now."""
        assert len(self.expected_roots) == len(self.inputs)

    @cached_property
    def expected(self) -> list[bytes]:
        """Each task's output by the int8 reference in plain Python."""
        return [reference.expected_output(image) for image in self.inputs]

    @cached_property
    def expected_roots(self) -> list[bytes]:
        """Their roots, as results carry them."""
        return [words_root(output) for output in self.expected]

    def accuracy(self, outputs: dict[int, bytes]) -> Accuracy | None:
        """Of the outputs by task; None while a held-out one is missing."""
        from programs.digits import dataset

        held_out, labels = dataset.held_out(), dataset.labels()
        if not held_out <= outputs.keys():
            return None
        right = sum(outputs[task][:1] == bytes([labels[task]]) for task in held_out)
        return Accuracy(right / len(held_out), len(held_out))


def mean_task_wu() -> int:
    """WU of an average task, from running a few images of noise here."""
    entry, noise = CATALOGUE[PROGRAM], Random(0)
    images = [bytes(noise.randrange(17) for _ in range(reference.PIXELS)) for _ in range(SAMPLES)]
    with Sandbox(entry.build().rewritten, entry.limits) as sandbox:
        wus = [result.wu for result in sandbox.run_many(images)]
    return sum(wus) // len(wus)


def expected_price_wei(mean_wu: int) -> int:
    """P: what an average task costs at the bid's maximum price."""
    return mean_wu * MAX_PRICE_WEI_PER_GWU // WU_PER_GWU
