"""The trainer program and its reference agree in every bit; what it holds is what it says."""

from dataclasses import replace

import numpy as np
import pytest

from execution import Sandbox
from programs.catalogue import CATALOGUE
from programs.digits import dataset
from programs.trainer import build
from programs.trainer.reference import (
    CLASSES,
    IMAGES_PATH,
    PIXELS,
    TRAINING,
    VALIDATION,
    Network,
    Settings,
    expected_output,
    records,
)
from protocol.merkle import Status

SMALL = Settings(hidden=5, rate_shift=5, halve_every=1, epochs=2, seed=11)
AT_LIMITS = Settings(hidden=57, rate_shift=0, halve_every=255, epochs=1, seed=2_178_251_057)
WELL = Settings(hidden=32, rate_shift=3, halve_every=4, epochs=8, seed=7)


@pytest.fixture(scope="module")
def sandbox():
    entry = CATALOGUE["trainer"]
    with Sandbox(entry.build().rewritten, entry.limits) as running:
        yield running


@pytest.mark.parametrize(
    "change",
    [{"hidden": 0}, {"hidden": 65}, {"epochs": 0}, {"epochs": 65}, {"halve_every": 0}, {"rate_shift": 13}, {"seed": 0}],
)
def test_trainer_settings_out_of_range_trap(sandbox, change):
    assert sandbox.run(replace(SMALL, **change).encode()).status is Status.TRAP


@pytest.mark.parametrize("length", [0, 7, 9])
def test_trainer_input_of_another_length_traps(sandbox, length):
    assert sandbox.run(bytes(length)).status is Status.TRAP


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        Settings(hidden=1, rate_shift=0, halve_every=1, epochs=2, seed=1),
        AT_LIMITS,
        Settings(hidden=64, rate_shift=12, halve_every=1, epochs=1, seed=99),
    ],
    ids=["small", "wild rates", "weights at their limits", "slow rates"],
)
def test_trainer_output_equals_the_reference_bit_for_bit(sandbox, settings):
    assert sandbox.run(settings.encode()).output == expected_output(settings)


@pytest.mark.slow
def test_trainer_good_settings_generalise(sandbox):
    output = sandbox.run(WELL.encode()).output
    chosen = sorted(dataset.held_out())
    pixels = np.array([list(dataset.images()[index]) for index in chosen])
    labels = np.array([dataset.labels()[index] for index in chosen])
    assert int.from_bytes(output[:4], "little") / VALIDATION >= 0.93
    assert Network.decode(output).right_answers(pixels, labels) / len(chosen) >= 0.93


@pytest.mark.slow
def test_trainer_weights_at_their_limits_are_reached():
    """Otherwise the parity over clipped values would test nothing."""
    output = expected_output(AT_LIMITS)
    assert np.abs(np.frombuffer(output, "<i4")[1:]).max() == (1 << 23) - 1


def test_network_encoded_and_decoded_is_the_same():
    rng = np.random.default_rng(5)
    network = Network(*(rng.integers(-9, 9, size) for size in ((4, PIXELS), (4,), (CLASSES, 4), (CLASSES,))))
    again = Network.decode(bytes(4) + network.encode())
    assert again.encode() == network.encode()
    assert again.hidden_weight.shape == (4, PIXELS)


def test_images_are_generated_and_none_is_held_out():
    assert IMAGES_PATH.read_bytes() == build.image_records()
    pixels, labels = records()
    held_out = {dataset.images()[index] for index in dataset.held_out()}
    assert len(labels) == TRAINING + VALIDATION
    assert not held_out & {bytes(row.astype(np.uint8)) for row in pixels}
