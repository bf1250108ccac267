"""Messages between a sandbox and its child, over pipes. Numbers are big-endian.

To the child: a frame (4 bytes length, then that many bytes) with the module, then one frame for each batch of tasks.
From the child: one answer to the module and one to each task, a head and a body of the length that the head tells.
Neither side trusts the other's lengths.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from execution.errors import DeviceFailure
from execution.result import TaskResult

FRAME = struct.Struct(">I")
BATCH = struct.Struct(">QIBI")
HEAD = struct.Struct(">BQBI")

MAX_FRAME_BYTES = 64 << 20
MAX_BATCH_TASKS = 256
MAX_BATCH_BYTES = 4 << 20
FAILED = 255
"""The status byte of an answer that is no result; its body is the reason."""
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """What one task may use: WU and bytes of output; and whether its state digest is wanted."""

    wu: int
    output_bytes: int
    digest: bool = False


def frame(content: bytes) -> bytes:
    """A frame."""
    return FRAME.pack(len(content)) + content


def pack_batch(inputs: Sequence[bytes], limits: TaskLimits) -> bytes:
    """The content of a batch's frame."""
    head = BATCH.pack(limits.wu, limits.output_bytes, limits.digest, len(inputs))
    return head + b"".join(FRAME.pack(len(item)) + item for item in inputs)


def unpack_batch(content: bytes) -> tuple[list[bytes], TaskLimits]:
    """The inputs and limits of a batch."""
    wu, output_bytes, digest, count = BATCH.unpack_from(content)
    inputs, position = [], BATCH.size
    for _ in range(count):
        (length,) = FRAME.unpack_from(content, position)
        position += FRAME.size + length
        inputs.append(content[position - length : position])
    return inputs, TaskLimits(wu, output_bytes, bool(digest))


def pack_result(result: TaskResult) -> bytes:
    """The answer for a task that has a result."""
    digest = result.state_digest or b""
    return HEAD.pack(result.status, result.wu, bool(digest), len(result.output)) + digest + result.output


def pack_failure(failure: DeviceFailure) -> bytes:
    """The answer when there is none."""
    reason = failure.reason.encode()[:1_000]
    return HEAD.pack(FAILED, 0, 0, len(reason)) + reason


def pack_ready() -> bytes:
    """The answer for a module that compiled."""
    return HEAD.pack(0, 0, 0, 0)


def in_batches(inputs: Sequence[bytes]) -> list[list[bytes]]:
    """Inputs in order, cut so that one batch stays small."""
    batches: list[list[bytes]] = []
    room = 0
    for item in inputs:
        if not batches or len(batches[-1]) == MAX_BATCH_TASKS or room < len(item):
            batches.append([])
            room = MAX_BATCH_BYTES
        batches[-1].append(item)
        room -= len(item)
    return batches
