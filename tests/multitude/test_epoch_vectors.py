"""The recorded epochs are what the code makes of them today."""

import pytest

from tests.vectors.epochs import FOLDER, WORLDS, files


@pytest.mark.slow
def test_epochs_recorded_again_are_those_committed():
    found = dict(files())
    assert set(found) == {path.name for path in FOLDER.glob("*.json")} == {f"{name}.json" for name in WORLDS}
    for name, text in found.items():
        assert (FOLDER / name).read_text() == text, f"{name}: run python -m tests.vectors.epochs"
