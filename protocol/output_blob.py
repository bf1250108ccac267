"""The outputs of one lease as one blob (section 10)."""

from collections.abc import Sequence

from protocol.encoding import UINT32_MAX
from protocol.errors import OutputBlobInvalid
from protocol.merkle import TaskResult, words_root

MAGIC = b"MNYO\x01"
"""The format's name and version."""


def encode_outputs(outputs: Sequence[bytes]) -> bytes:
    """The blob of a lease's outputs, in the order of its tasks. OutputBlobInvalid past uint32."""
    if len(outputs) > UINT32_MAX or any(len(output) > UINT32_MAX for output in outputs):
        raise OutputBlobInvalid("more than uint32 can count")
    parts = [MAGIC, len(outputs).to_bytes(4, "big")]
    for output in outputs:
        parts += [len(output).to_bytes(4, "big"), output]
    return b"".join(parts)


def decode_outputs(blob: bytes, count: int, max_output_bytes: int) -> tuple[bytes, ...]:
    """The outputs of a lease of `count` tasks.

    Raises OutputBlobInvalid if the blob is of another format, has another count, is cut short, goes on past its end,
    or has an output longer than `max_output_bytes`.
    """
    head = MAGIC + count.to_bytes(4, "big")
    if blob[: len(head)] != head:
        raise OutputBlobInvalid(f"not the outputs of {count} tasks")
    outputs, position = [], len(head)
    for _ in range(count):
        start = position + 4
        length = int.from_bytes(blob[position:start], "big")
        if length > max_output_bytes:
            raise OutputBlobInvalid(f"an output of {length} bytes, above {max_output_bytes}")
        position = start + length
        if position > len(blob):
            raise OutputBlobInvalid("the blob is cut short")
        outputs.append(blob[start:position])
    if position != len(blob):
        raise OutputBlobInvalid("the blob goes on past its last output")
    return tuple(outputs)


def outputs_size_max(count: int, max_output_bytes: int) -> int:
    """The most bytes that the blob of a lease of `count` tasks can have."""
    return len(MAGIC) + 4 + count * (4 + max_output_bytes)


def check_outputs(results: Sequence[TaskResult], outputs: Sequence[bytes]) -> None:
    """OutputBlobInvalid unless each output has the length and root of its result."""
    if len(results) != len(outputs):
        raise OutputBlobInvalid(f"{len(outputs)} outputs for {len(results)} results")
    for result, output in zip(results, outputs, strict=True):
        if len(output) != result.output_length or words_root(output) != result.output_root:
            raise OutputBlobInvalid(f"the output of task {result.task_index} is not that of its result")
