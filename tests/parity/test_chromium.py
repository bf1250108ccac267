"""The browser's own engine words its traps in its own way, so the shared runs are repeated in a real one."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from deploy.browser.chromium import launch

HERE = Path(__file__).parent
RUNS = json.loads((HERE.parent / "vectors" / "runs.json").read_text())["cases"]

RUN_CASE = """({ module, limits, results }) => {
  const { fromHex, toHex, runTask } = Protocol;
  const compiled = new WebAssembly.Module(fromHex(module));
  const task = { wu: BigInt(limits.wu), outputBytes: Number(limits.outputBytes), digest: true };
  return results.map(({ input }) => {
    const { status, output, wu, stateDigest } = runTask(compiled, fromHex(input), task);
    return { input, status: String(status), output: toHex(output), wu: String(wu), stateDigest };
  });
}"""

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """An empty page that has web/src/protocol."""
    command = ["node", str(HERE / "bundle.mjs"), "index.ts"]
    bundle = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page()
        page.add_script_tag(content=bundle)
        yield page


@pytest.mark.parametrize("case", RUNS, ids=[case["name"] for case in RUNS])
def test_run_task_in_chromium_gives_wasmtimes_results(page: Page, case):
    assert page.evaluate(RUN_CASE, case) == case["results"]
