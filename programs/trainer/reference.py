"""The trainer in numpy, bit for bit what the program computes.

Weights are integers with 20 bits behind the point, activations and errors have 12, pixels 4 (0 to 16). All shifts to
the right round down. For each image of an epoch, in an order shuffled by xorshift32:

h = clip((16 (b >> 8) + (W >> 8) x) >> 4, 0, 32767); z = (c >> 8) + ((V >> 8) h >> 12);
e = clip(1 [of the label] - z, -1, 1); g = (V >> 8)' e >> 12, for units with h > 0;
V += e h' >> (4 + s); c += 256 e >> s; W += 16 g x' >> s; b += 256 g >> s; each then clipped to 23 bits and a sign.

s is the rate's shift, one more after every `halve_every` epochs, at most 20. An answer is the first largest z.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

PIXELS, CLASSES, TRAINING, VALIDATION = 64, 10, 997, 300
MAX_HIDDEN = 64
IMAGES_PATH = Path(__file__).with_name("images.bin")

_ONE, _LARGEST_ACTIVATION, _LARGEST_WEIGHT = 1 << 12, 32_767, (1 << 23) - 1

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """One set of hyper-parameters: hidden units, the learning rate 2^-rate_shift, halved after every so many epochs."""

    hidden: int
    rate_shift: int
    halve_every: int
    epochs: int
    seed: int

    def encode(self) -> bytes:
        """The task's input."""
        return bytes([self.hidden, self.rate_shift, self.halve_every, self.epochs]) + self.seed.to_bytes(4, "little")


@dataclass(slots=True)
class Network:
    """The trained integers: hidden rows of 64, their biases, class rows, their biases."""

    hidden_weight: Integers
    hidden_bias: Integers
    class_weight: Integers
    class_bias: Integers

    @classmethod
    def decode(cls, output: bytes) -> Self:
        """The network out of a task's output."""
        values = np.frombuffer(output, dtype="<i4")[1:].astype(np.int64)
        units = (len(values) - CLASSES) // (PIXELS + 1 + CLASSES)
        w, b, v, c = np.split(values, np.cumsum([units * PIXELS, units, CLASSES * units]))
        return cls(w.reshape(units, PIXELS), b, v.reshape(CLASSES, units), c)

    def encode(self) -> bytes:
        """As the program writes it."""
        parts = (self.hidden_weight, self.hidden_bias, self.class_weight, self.class_bias)
        return b"".join(part.astype("<i4").tobytes() for part in parts)

    def forward(self, pixels: Integers) -> tuple[Integers, Integers]:
        """Activations and logits of one image."""
        sums = (self.hidden_bias >> 8) * 16 + (self.hidden_weight >> 8) @ pixels
        hidden = np.clip(sums >> 4, 0, _LARGEST_ACTIVATION)
        return hidden, (self.class_bias >> 8) + ((self.class_weight >> 8) @ hidden >> 12)

    def learn(self, pixels: Integers, label: int, shift: int) -> None:
        """One step on one image."""
        hidden, logits = self.forward(pixels)
        target = np.where(np.arange(CLASSES) == label, _ONE, 0)
        error = np.clip(target - logits, -_ONE, _ONE)
        slope = np.where(hidden > 0, (self.class_weight >> 8).T @ error >> 12, 0)
        _add(self.class_weight, np.outer(error, hidden) >> 4 + shift)
        _add(self.class_bias, error * 256 >> shift)
        _add(self.hidden_weight, np.outer(slope, pixels) * 16 >> shift)
        _add(self.hidden_bias, slope * 256 >> shift)

    def right_answers(self, pixels: Integers, labels: Integers) -> int:
        """How many images of these (rows of 64) are told right."""
        answers = [int(np.argmax(self.forward(image)[1])) for image in pixels]
        return int(np.count_nonzero(labels == answers))


def _add(weights: Integers, change: Integers) -> None:
    np.clip(weights + change, -_LARGEST_WEIGHT, _LARGEST_WEIGHT, out=weights)


@cache
def records() -> tuple[Integers, Integers]:
    """Pixels and labels that the program holds, those to train on first."""
    rows = np.frombuffer(IMAGES_PATH.read_bytes(), dtype=np.uint8).reshape(-1, 1 + PIXELS).astype(np.int64)
    return rows[:, 1:], rows[:, 0]


def train(settings: Settings) -> Network:
    """The network that these hyper-parameters give."""
    chance = _xorshift(settings.seed)
    first = _small(chance, settings.hidden * PIXELS).reshape(settings.hidden, PIXELS)
    second = _small(chance, CLASSES * settings.hidden).reshape(CLASSES, settings.hidden)
    network = Network(first, np.zeros(settings.hidden, np.int64), second, np.zeros(CLASSES, np.int64))
    pixels, labels = records()
    order = list(range(TRAINING))
    for epoch in range(settings.epochs):
        shift = min(20, settings.rate_shift + epoch // settings.halve_every)
        for i in range(TRAINING - 1, 0, -1):
            j = next(chance) % (i + 1)
            order[i], order[j] = order[j], order[i]
        for index in order:
            network.learn(pixels[index], int(labels[index]), shift)
    return network


def expected_output(settings: Settings) -> bytes:
    """The program's output."""
    network = train(settings)
    pixels, labels = records()
    return network.right_answers(pixels[TRAINING:], labels[TRAINING:]).to_bytes(4, "little") + network.encode()


def _xorshift(state: int) -> Iterator[int]:
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state


def _small(chance: Iterator[int], count: int) -> Integers:
    return np.array([(next(chance) >> 14) - (1 << 17) for _ in range(count)], np.int64)
