"""From a lease to work that may be run: blobs fetched, and everything recomputed that the bid commits to."""

import asyncio
from collections import OrderedDict
from typing import Protocol, TypeVar

from protocol.blobs import blob_id
from protocol.encoding import to_hex
from protocol.errors import ProtocolError
from protocol.manifest import MANIFEST_BYTES_MAX, InputEntry, Manifest
from protocol.messages import Bid
from protocol.program import ProgramFacts
from protocol.wasm import Limits, Program, build_program
from protocol.wasm.bounds import MAX_MODULE_BYTES
from worker.errors import LeaseRefused
from worker.grants import Grant
from worker.work import Task, Work

PROGRAMS_KEPT = 8
MANIFESTS_KEPT = 2
INPUT_BYTES_MAX = 256 << 20
"""Inputs of one lease, all together."""

V = TypeVar("V")


class Blobs(Protocol):
    """Where blobs come from."""

    async def get_blob(self, name: bytes, limit_bytes: int) -> bytes:
        """The bytes served under that id, not checked. Raises LeaseRefused where there are none or too many."""
        ...


class Preparation:
    """Prepares leases, keeping the programs and manifests that it last checked."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._programs: OrderedDict[bytes, Program] = OrderedDict()
        self._manifests: OrderedDict[bytes, Manifest] = OrderedDict()

    async def prepare(self, grant: Grant) -> Work:
        """The lease's tasks with their program.

        Raises LeaseRefused when a blob, the manifest, an input or the program is not what the bid names; MarketError.
        """
        try:
            program = await self._program(grant.program)
            manifest = await self._manifest(grant.bid)
            if sum(manifest.inputs[index].length for index in grant.tasks) > INPUT_BYTES_MAX:
                raise LeaseRefused(f"inputs of more than {INPUT_BYTES_MAX} bytes in one lease")
            tasks = [Task(index, await self._input(manifest.inputs[index])) for index in grant.tasks]
        except ProtocolError as error:
            raise LeaseRefused(error.reason) from error
        return Work(grant.bid, program, tuple(tasks))

    async def _program(self, facts: ProgramFacts) -> Program:
        """The program, built here from its original module: the market's word is not taken for it."""
        if facts.program_id not in self._programs:
            original = await self._blob(facts.original_hash, MAX_MODULE_BYTES)
            limits = Limits(facts.limit_wu, facts.memory_pages, facts.frame_bytes)
            program = await asyncio.to_thread(build_program, original, limits)
            if program.program_id != facts.program_id:
                raise LeaseRefused("the program built here is not the one that the bid names")
            _keep(self._programs, facts.program_id, program, PROGRAMS_KEPT)
        return self._programs[facts.program_id]

    async def _manifest(self, bid: Bid) -> Manifest:
        if bid.job_id not in self._manifests:
            blob = await self._blob(bid.manifest, MANIFEST_BYTES_MAX)
            manifest = await asyncio.to_thread(_checked_manifest, blob, bid)
            _keep(self._manifests, bid.job_id, manifest, MANIFESTS_KEPT)
        return self._manifests[bid.job_id]

    async def _input(self, entry: InputEntry) -> bytes:
        if entry.data is not None:
            return entry.data
        data = await self._blob(entry.hash, entry.length)
        await asyncio.to_thread(entry.check, data)
        return data

    async def _blob(self, name: bytes, limit_bytes: int) -> bytes:
        data = await self._blobs.get_blob(name, limit_bytes)
        if blob_id(data) != name:
            raise LeaseRefused(f"what is served as blob {to_hex(name)} is something else")
        return data


def _checked_manifest(blob: bytes, bid: Bid) -> Manifest:
    manifest = Manifest.parse(blob)
    manifest.check_bid(bid)
    return manifest


def _keep(cache: OrderedDict[bytes, V], key: bytes, value: V, most: int) -> None:
    cache[key] = value
    while len(cache) > most:
        cache.popitem(last=False)
