"""Runs rewritten modules on V8, through tests/parity/wasm_run.mjs."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from execution import TaskResult
from protocol.merkle import Status

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class NodeJob:
    module: bytes
    inputs: tuple[bytes, ...]
    wu: int
    output_bytes: int = 1 << 20


def run_on_node(jobs: list[NodeJob]) -> list[list[TaskResult | None]]:
    """The results of each job's inputs, None where V8 failed as a device may."""
    request = {
        "jobs": [
            {
                "module": base64.b64encode(job.module).decode(),
                "inputs": [item.hex() for item in job.inputs],
                "wu": str(job.wu),
                "output_bytes": job.output_bytes,
            }
            for job in jobs
        ]
    }
    done = subprocess.run(
        ["node", "tests/parity/wasm_run.mjs"],
        cwd=_ROOT,
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=240,
    )
    return [[_result(answer) for answer in answers] for answers in json.loads(done.stdout)]


def _result(answer: dict[str, Any]) -> TaskResult | None:
    if "failure" in answer:
        return None
    status, output, digest = Status(answer["status"]), bytes.fromhex(answer["output"]), bytes.fromhex(answer["digest"])
    return TaskResult(status, output, int(answer["wu"]), digest)
