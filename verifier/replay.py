"""Replaying drawn tasks: inputs out of the manifest, the program recomputed, each run compared with the receipt."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from execution import DeviceFailure, Sandbox
from execution.result import TaskResult as Run
from protocol.errors import ProtocolError
from protocol.manifest import Manifest
from protocol.merkle import TaskResult
from protocol.messages import Bid
from protocol.program import ProgramFacts
from protocol.verdicts import Verdict
from protocol.wasm import Limits, Program, build_program
from protocol.wasm.errors import ModuleRefused
from verifier.audit import LeafEvidence
from verifier.blobs import Blobs
from verifier.db import Replay
from verifier.errors import BlobUnavailable, ProgramUnfit

_SANDBOXES_MAX = 4
_MANIFESTS_MAX = 8


def recompute(blobs: Blobs, facts: ProgramFacts) -> Program:
    """The program rebuilt from its original module.

    Raises BlobUnavailable where the module cannot be had, ProgramUnfit where the facts are not what comes out.
    """
    original = blobs.get(facts.original_hash)
    try:
        program = build_program(original, Limits(facts.limit_wu, facts.memory_pages, facts.frame_bytes))
    except ModuleRefused as error:
        raise ProgramUnfit(f"not admitted: {error}") from error
    if program.facts != facts:
        raise ProgramUnfit("the registered program is not what the tools make of the module")
    return program


class Replayer:
    """Replays tasks, keeping the sandboxes of the programs last used. `executions` counts its runs."""

    def __init__(self, blobs: Blobs, wall_limit_s: float) -> None:
        self._blobs = blobs
        self._wall_limit_s = wall_limit_s
        self._sandboxes: dict[bytes, Sandbox] = {}
        self._manifest = lru_cache(maxsize=_MANIFESTS_MAX)(self._fetch_manifest)
        self.executions = 0

    def replay(
        self, leaf: LeafEvidence, positions: Sequence[int], programs: Mapping[bytes, ProgramFacts]
    ) -> list[Replay]:
        """Replays positions of a receipt; `programs` maps program ids to what is registered.

        "Unavailable" is the verdict where inputs or module cannot be had, or where this machine cannot run the task:
        never "wrong".
        """
        bid, results = leaf.place.entry.bid, leaf.place.leaf.results
        try:
            inputs = [self._input(bid, results[position].task_index) for position in positions]
            sandbox = self._sandbox(bid, programs)
        except (BlobUnavailable, ProgramUnfit, ProtocolError):
            return [Replay(leaf.number, position, Verdict.UNAVAILABLE, 0, None) for position in positions]
        runs = self._run(sandbox, bid, inputs)
        return [
            _compared(leaf.number, position, results[position], run)
            for position, run in zip(positions, runs, strict=True)
        ]

    def close(self) -> None:
        """Ends all child processes."""
        for sandbox in self._sandboxes.values():
            sandbox.close()
        self._sandboxes.clear()

    def _input(self, bid: Bid, task_index: int) -> bytes:
        entry = self._manifest(bid).inputs[task_index]
        data = entry.data if entry.data is not None else self._blobs.get(entry.hash)
        entry.check(data)
        return data

    def _fetch_manifest(self, bid: Bid) -> Manifest:
        manifest = Manifest.parse(self._blobs.get(bid.manifest))
        manifest.check_bid(bid)
        return manifest

    def _sandbox(self, bid: Bid, programs: Mapping[bytes, ProgramFacts]) -> Sandbox:
        if bid.program_id not in self._sandboxes:
            if bid.program_id not in programs:
                raise ProgramUnfit("the bid's program is not registered")
            program = recompute(self._blobs, programs[bid.program_id])
            if len(self._sandboxes) >= _SANDBOXES_MAX:
                self._sandboxes.pop(next(iter(self._sandboxes))).close()
            self._sandboxes[bid.program_id] = Sandbox(
                program.rewritten, program.limits, wall_limit_s=self._wall_limit_s
            )
        return self._sandboxes[bid.program_id]

    def _run(self, sandbox: Sandbox, bid: Bid, inputs: Sequence[bytes]) -> list[Run | None]:
        """One run for each input; None for an input that this machine failed on."""
        runs: list[Run | None] = []
        while len(runs) < len(inputs):
            rest = inputs[len(runs) :]
            try:
                done = sandbox.run_many(rest, bid.task_limit_wu, bid.max_output_bytes, digest=True)
                self.executions += len(done)
                runs += done
            except DeviceFailure as failure:
                self.executions += len(failure.completed) + 1
                runs += [*failure.completed, None]
        return runs


def _compared(leaf_number: int, position: int, claimed: TaskResult, run: Run | None) -> Replay:
    if run is None:
        return Replay(leaf_number, position, Verdict.UNAVAILABLE, 0, None)
    found = TaskResult.of_output(claimed.task_index, run.output, run.wu, run.status)
    if found != claimed:
        return Replay(leaf_number, position, Verdict.WRONG, run.wu, None)
    return Replay(leaf_number, position, Verdict.RIGHT, run.wu, run.state_digest)
