import pytest

from tests.vectors.generate import HERE, files

FILES = files()


def test_files_of_the_folder_are_those_generated():
    assert {path.name for path in HERE.glob("*.json")} == set(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_vectors_regenerated_are_those_committed(name):
    assert (HERE / name).read_text() == FILES[name], "run python -m tests.vectors.generate"
