"""Running tasks again: the program recomputed from its module, the inputs out of the manifest, the run compared."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from execution import DeviceFailure, Sandbox, TaskResult
from multitude.audit.blobs import Blobs
from multitude.audit.errors import BlobMissing
from multitude.audit.evidence import Leaf
from multitude.audit.judgement import Run
from protocol.errors import ProtocolError
from protocol.manifest import Manifest
from protocol.merkle import TaskResult as Claimed
from protocol.messages import Bid
from protocol.program import ProgramFacts
from protocol.verdicts import Verdict
from protocol.wasm import TOOL_VERSION, Limits, ModuleRefused, build_program

WALL_LIMIT_S = 120.0


class Unrunnable(Exception):
    """A task cannot be run: `verdict` is unavailable where nobody can run it, None where this auditor cannot."""

    def __init__(self, verdict: Verdict | None, detail: str) -> None:
        super().__init__(detail)
        self.run = Run(verdict, detail=detail)


class Replayer:
    """Runs tasks in sandboxes, one for each program; use it as a context manager."""

    def __init__(
        self, blobs: Blobs, programs: Mapping[bytes, ProgramFacts], wall_limit_s: float = WALL_LIMIT_S
    ) -> None:
        self._blobs = blobs
        self._programs = programs
        self._wall_limit_s = wall_limit_s
        self._sandboxes: dict[bytes, Sandbox] = {}
        self._manifests: dict[bytes, Manifest] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.close()
        self._sandboxes.clear()

    def run(self, leaf: Leaf, positions: Iterable[int]) -> dict[tuple[int, int], Run]:
        """Each position of a receipt run again and compared with its signed result."""
        return {(leaf.number, position): self._run(leaf, position) for position in positions}

    def _run(self, leaf: Leaf, position: int) -> Run:
        claimed = leaf.place.leaf.results[position]
        try:
            sandbox = self._sandbox(leaf.bid)
            data = self._input(leaf.bid, claimed.task_index)
        except Unrunnable as error:
            return error.run
        except BlobMissing as error:
            return Run(None, detail=str(error))
        try:
            done = sandbox.run_many([data], leaf.bid.task_limit_wu, leaf.bid.max_output_bytes, digest=True)[0]
        except (DeviceFailure, ValueError) as error:
            return Run(None, detail=f"this machine cannot run it: {error}")
        return _compared(claimed, done)

    def _input(self, bid: Bid, task: int) -> bytes:
        if bid.manifest not in self._manifests:
            raw = self._blobs.get(bid.manifest)
            try:
                manifest = Manifest.parse(raw)
                manifest.check_bid(bid)
            except ProtocolError as error:
                raise Unrunnable(Verdict.UNAVAILABLE, f"the manifest is not the bid's: {error.reason}") from error
            self._manifests[bid.manifest] = manifest
        entry = self._manifests[bid.manifest].inputs[task]
        if entry.data is not None:
            return entry.data
        data = self._blobs.get(entry.hash)
        try:
            entry.check(data)
        except ProtocolError as error:
            raise Unrunnable(Verdict.UNAVAILABLE, error.reason) from error
        return data

    def _sandbox(self, bid: Bid) -> Sandbox:
        if bid.program_id not in self._sandboxes:
            facts = self._programs.get(bid.program_id)
            if facts is None:
                raise Unrunnable(Verdict.UNAVAILABLE, "the program is not one that anybody can build")
            if facts.tool_version != TOOL_VERSION:
                raise Unrunnable(None, f"the program is of tool version {facts.tool_version}, this is {TOOL_VERSION}")
            limits = Limits(facts.limit_wu, facts.memory_pages, facts.frame_bytes)
            try:
                program = build_program(self._blobs.get(facts.original_hash), limits)
            except ModuleRefused as error:
                raise Unrunnable(Verdict.UNAVAILABLE, f"the module is not admitted: {error}") from error
            if program.facts != facts:
                raise Unrunnable(Verdict.UNAVAILABLE, "what is registered is not what the tools make of the module")
            self._sandboxes[bid.program_id] = Sandbox(program.rewritten, limits, wall_limit_s=self._wall_limit_s)
        return self._sandboxes[bid.program_id]


def _compared(claimed: Claimed, run: TaskResult) -> Run:
    found = Claimed.of_output(claimed.task_index, run.output, run.wu, run.status)
    if found == claimed and run.state_digest is not None:
        return Run(Verdict.RIGHT, run.state_digest)
    names = ("output_length", "output_root", "wu", "status")
    wrong = [name for name in names if getattr(found, name) != getattr(claimed, name)]
    return Run(Verdict.WRONG, detail=f"task {claimed.task_index} signed with another {', '.join(wrong)} than it gives")
