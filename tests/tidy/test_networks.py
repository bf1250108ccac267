"""Every test module that raises a whole network is in a row of NETWORKS, and every row names what is there."""

from __future__ import annotations

import re

import pytest

from tests.conftest import NETWORKS, row_of
from tests.tidy.tree import ROOT, source_files, text_of

RAISES = re.compile(r"raise_market\(|run_on_one_network\(|deploy\.browser\.ground import")


def test_modules_that_raise_networks_are_in_a_row():
    found = [path for path in source_files(".py") if path.parts[0] == "tests" and RAISES.search(text_of(path) or "")]
    assert len(found) >= 3
    assert [str(path) for path in found if row_of(str(path)) is None] == []


@pytest.mark.parametrize("start", NETWORKS)
def test_row_names_a_file_or_folder(start):
    assert (ROOT / start).is_dir() if start.endswith("/") else (ROOT / start).is_file()


def test_row_of_other_tests_is_none():
    assert row_of("tests/protocol/test_money.py::test_x") is None
    assert row_of("tests/e2e/test_roles.py::test_x") == 1
