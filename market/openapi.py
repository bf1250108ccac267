"""The frozen OpenAPI description: `python -m market.openapi --write`, or without it a comparison."""

import json
import sys
from pathlib import Path

from market.app import describe

PATH = Path(__file__).parent / "openapi.json"


def render() -> str:
    """The description of the routes as they are."""
    return json.dumps(describe().openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Writes the frozen file, or says whether it is still true."""
    if arguments == ["--write"]:
        PATH.write_text(render(), encoding="utf-8")
        return 0
    same = PATH.read_text(encoding="utf-8") == render()
    print("the same" if same else "market/openapi.json is not what the routes say: python -m market.openapi --write")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
