"""The digits network in plain Python, bit for bit what the program computes.

hidden = min(127, (max(0, bias + W x) * scale + 2^(shift-1)) >> shift); logits = bias' + W' hidden; the class is the
first largest logit.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PIXELS, HIDDEN, CLASSES = 64, 128, 10

WEIGHTS_PATH = Path(__file__).with_name("weights.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """The quantised network: rows of int8 weights, int32 biases, and the hidden layer's scale / 2^shift."""

    hidden_weight: list[list[int]]
    hidden_bias: list[int]
    hidden_scale: int
    hidden_shift: int
    class_weight: list[list[int]]
    class_bias: list[int]


@cache
def committed_weights() -> Weights:
    """The weights that the committed program was built from."""
    return Weights(**json.loads(WEIGHTS_PATH.read_text()))


def logits(pixels: bytes, weights: Weights) -> list[int]:
    """The 10 logits of an image."""
    rounding = 1 << weights.hidden_shift - 1
    hidden = []
    for row, bias in zip(weights.hidden_weight, weights.hidden_bias, strict=True):
        total = max(0, bias + sum(w * x for w, x in zip(row, pixels, strict=True)))
        hidden.append(min(127, (total * weights.hidden_scale + rounding) >> weights.hidden_shift))
    return [
        bias + sum(w * x for w, x in zip(row, hidden, strict=True))
        for row, bias in zip(weights.class_weight, weights.class_bias, strict=True)
    ]


def expected_output(pixels: bytes, weights: Weights | None = None) -> bytes:
    """The program's output for an image of 64 pixels."""
    scores = logits(pixels, weights or committed_weights())
    best = scores.index(max(scores))
    return bytes([best]) + b"".join(score.to_bytes(4, "little", signed=True) for score in scores)
