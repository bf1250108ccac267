"""The programs of the catalogue: rebuilt to the same bytes, equal to their references, accurate."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from execution import Sandbox
from programs.catalogue import CATALOGUE
from programs.compile import compile_guest
from programs.digits import build, dataset, reference


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_rebuilt_module_has_the_same_bytes(name: str, tmp_path: Path) -> None:
    entry = CATALOGUE[name]
    compile_guest(entry.source, tmp_path / "built.wasm", entry.limits.memory_pages)
    assert (tmp_path / "built.wasm").read_bytes() == entry.module.read_bytes()


def test_digits_header_is_generated_from_the_committed_weights() -> None:
    assert build.HEADER_PATH.read_text() == build.header(reference.committed_weights())


def test_digits_split_keeps_500_images_of_every_class_apart() -> None:
    held = dataset.held_out()
    assert len(held) == 500
    assert len({dataset.labels()[index] for index in held}) == 10
    assert len(dataset.images()) == 1_797


def test_digits_output_equals_the_reference_and_is_accurate() -> None:
    entry, images, labels = CATALOGUE["digits"], dataset.images(), dataset.labels()
    chosen = sorted(dataset.held_out())
    with Sandbox(entry.build().rewritten, entry.limits) as sandbox:
        outputs = [result.output for result in sandbox.run_many([images[index] for index in chosen])]
    assert outputs == [reference.expected_output(images[index]) for index in chosen]
    right = sum(output[0] == labels[index] for output, index in zip(outputs, chosen, strict=True))
    assert right / len(chosen) >= 0.96


@pytest.mark.slow
def test_digits_trained_again_is_as_accurate_in_integers_as_in_floats() -> None:
    network = build.train()
    weights = build.quantise(network)
    chosen = sorted(dataset.held_out())
    right = sum(
        reference.expected_output(dataset.images()[index], weights)[0] == dataset.labels()[index] for index in chosen
    )
    assert right / len(chosen) >= 0.96
    assert abs(right / len(chosen) - build.float_accuracy(network)) <= 0.01
    assert max(abs(w) for row in weights.hidden_weight + weights.class_weight for w in row) <= 127


def test_matmul_output_equals_numpy() -> None:
    entry, n, seed = CATALOGUE["matmul"], 19, 4_000_000_001
    state, drawn = seed, []
    for _ in range(2 * n * n):
        for shift in (13, -17, 5):
            state ^= (state << shift if shift > 0 else state >> -shift) & 0xFFFFFFFF
        drawn.append(ctypes.c_int8(state).value)
    a, b = np.array(drawn, dtype=np.int32).reshape(2, n, n)
    with Sandbox(entry.build().rewritten, entry.limits) as sandbox:
        output = sandbox.run(n.to_bytes(4, "little") + seed.to_bytes(4, "little")).output
    assert output == (a @ b.T).astype("<i4").tobytes()


PROGRAM_IDS = {
    "digits": "5c4970bd41a02034807652d0dbb1eb494460ef1132810ff5ac017de2de6db02d",
    "sha256-chain": "62e00da0eab7df14d9a932bbd29897ebb16a2a5dc267799661a52e2a27498e46",
    "trainer": "61b85977558cff7819a662e5a3e6cbb09789fd1adebf74a311fd65ef158941fb",
    "matmul": "de66441a4648ccc2ec0d54ff247a48fc1e5fe86574d84943ee33a8a0134bdab1",
}
"""A difference means that admission, weights or rewriting changed: raise TOOL_VERSION, then write down the new ids."""


@pytest.mark.parametrize("name", PROGRAM_IDS)
def test_catalogue_program_id_changes_only_with_the_tool_version(name: str) -> None:
    assert CATALOGUE[name].build().program_id.hex() == PROGRAM_IDS[name]
