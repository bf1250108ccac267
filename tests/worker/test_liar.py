"""The liar of the main job: half of what it hands in is invented, always the same."""

from random import Random

import pytest

from deploy.local.liar import LyingRunner, invented, read_lies
from execution import TaskResult as Outcome
from protocol.merkle import Status
from tests.worker.fake_market import digits_work
from worker.runner import SandboxRunner

pytestmark = pytest.mark.anyio


class Digits:
    """Runs digits tasks without a child."""

    def __init__(self):
        self.ran = []

    def run(self, work):
        self.ran += [task.index for task in work.tasks]
        scores = list(range(10))
        return [Outcome(Status.OK, bytes([9]) + b"".join(bytes([0, 0, 0, s]) for s in scores), 777) for _ in work.tasks]

    def abort(self):
        pass

    def close(self):
        pass


def test_liar_computes_one_half_and_invents_the_other(tmp_path):
    honest = Digits()
    liar = LyingRunner(honest, tmp_path / "lies", Random(1))
    outcomes = liar.run(digits_work(8))
    assert honest.ran == [1, 3, 5, 7]
    lies = read_lies(tmp_path / "lies")
    assert [lie["task"] for lie in lies] == [0, 2, 4, 6]
    for lie in lies:
        output = outcomes[lie["task"]].output
        assert "0x" + output.hex() == lie["output"]
        assert (len(output), outcomes[lie["task"]].wu) == (41, 777)
        assert output[0] != 9
        scores = [output[1 + 4 * n : 5 + 4 * n] for n in range(10)]
        assert max(scores) == scores[output[0]]


def test_liar_asked_again_tells_the_same_lies_also_after_a_restart(tmp_path):
    liar = LyingRunner(Digits(), tmp_path / "lies", Random(1))
    first = liar.run(digits_work(8))
    assert liar.run(digits_work(8)) == first
    assert LyingRunner(Digits(), tmp_path / "lies", Random(3)).run(digits_work(8)) == first
    assert len(read_lies(tmp_path / "lies")) == 4


def test_liar_with_one_task_computes_it_all_the_same(tmp_path):
    honest = Digits()
    work = digits_work(1)
    LyingRunner(honest, tmp_path / "lies", Random(1)).run(work)
    assert honest.ran == [0]


@pytest.mark.parametrize("output", [b"", b"\x03", b"\x0b" + bytes(40), bytes(8)])
def test_invented_output_differs_whatever_the_format(output):
    assert invented(output, Random(1)) != output


def test_every_lie_on_digits_is_wrong():
    work = digits_work(40)
    runner = SandboxRunner()
    try:
        truth = runner.run(work)
    finally:
        runner.close()
    rng = Random(5)
    for outcome in truth:
        for other in truth:
            assert invented(other.output, rng) != outcome.output
