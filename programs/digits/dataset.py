"""The 1,797 images of scikit-learn's `load_digits`, and which of them the network never saw in training.

An image is held out when its index is among the 500 whose SHA-256 (of the index as decimal text) is smallest.
"""

import hashlib
from functools import cache

import numpy as np
from sklearn.datasets import load_digits

IMAGES = 1_797
HELD_OUT = 500


@cache
def images() -> tuple[bytes, ...]:
    """The inputs, 64 bytes each."""
    pixels = load_digits().data.astype(np.uint8)
    return tuple(row.tobytes() for row in pixels)


@cache
def labels() -> tuple[int, ...]:
    """The true classes."""
    return tuple(int(label) for label in load_digits().target)


@cache
def ranking() -> tuple[int, ...]:
    """All indices in the order of their SHA-256."""
    return tuple(sorted(range(IMAGES), key=lambda index: hashlib.sha256(str(index).encode()).digest()))


@cache
def held_out() -> frozenset[int]:
    """Indices of the images that are kept out of training."""
    return frozenset(ranking()[:HELD_OUT])
