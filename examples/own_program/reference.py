"""The edit distance program in plain Python, bit for bit, and the texts that the example compares."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

CHECKOUT = Path(__file__).resolve().parents[2]
COPIES = 6
"""Damaged copies among the texts: what the search is to find."""


def distance(a: bytes, b: bytes) -> int:
    """Bytes that must be inserted, dropped or replaced to make one of the other (Wagner and Fischer's table)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        diagonal, row[0] = row[0], i + 1
        for j, y in enumerate(b):
            replaced, diagonal = diagonal + (x != y), row[j + 1]
            row[j + 1] = min(replaced, 1 + diagonal, 1 + row[j])
    return row[-1]


def encode(texts: Sequence[bytes]) -> bytes:
    """The input of one task: the first text is compared with the rest."""
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def decode(output: bytes) -> list[int]:
    """The distances of a task's output."""
    return [int.from_bytes(output[k : k + 4], "little") for k in range(0, len(output), 4)]


def expected_output(texts: Sequence[bytes]) -> bytes:
    """What the program answers."""
    return b"".join(distance(texts[0], other).to_bytes(4, "little") for other in texts[1:])


def sample_texts(count: int, seed: int = 3) -> list[bytes]:
    """Paragraphs of this repository's licence, a few of them a second time with typing errors."""
    chance = Random(seed)
    paragraphs = [" ".join(part.split()) for part in (CHECKOUT / "LICENSE").read_text().split("\n\n")]
    texts = [text[:100].encode() for text in paragraphs if len(text) > 80][: count - COPIES]
    return texts + [_damaged(chance.choice(texts), chance) for _ in range(COPIES)]


def _damaged(text: bytes, chance: Random) -> bytes:
    letters = bytearray(text)
    for _ in range(8):
        place, dropped, put = chance.randrange(len(letters)), chance.randrange(2), chance.randrange(2)
        letters[place : place + dropped] = bytes(chance.choice(b"etaoin shrdlu") for _ in range(put))
    return bytes(letters)
