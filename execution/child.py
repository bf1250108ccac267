"""The sandboxed child: `python -m execution.child MEMORY_BYTES WALL_LIMIT_S NICENESS`.

Started by `execution.sandbox` only.
"""

import os
import sys
import time

import wasmtime  # noqa: F401  (loaded before files are given up)

from execution.confine import confine, end_with_parent, limit_cpu
from execution.engine import Engine
from execution.errors import DeviceFailure
from execution.wire import FRAME, MAX_FRAME_BYTES, pack_failure, pack_ready, pack_result, unpack_batch

_FLUSH_S = 0.02


def _read(count: int) -> bytes:
    """Exactly `count` bytes of stdin; the end of the input ends the process."""
    parts = []
    while count:
        part = os.read(0, min(count, 1 << 20))
        if not part:
            raise SystemExit(0)
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _read_frame() -> bytes:
    (length,) = FRAME.unpack(_read(FRAME.size))
    if length > MAX_FRAME_BYTES:
        raise SystemExit(2)
    return _read(length)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _serve_batch(engine: Engine, wall_limit_s: float) -> None:
    """Runs one batch. Answers of quick tasks go out together, for a system call costs more than such a task."""
    inputs, limits = unpack_batch(_read_frame())
    waiting: list[bytes] = []
    written_s = time.monotonic()
    try:
        for item in inputs:
            limit_cpu(wall_limit_s)
            waiting.append(pack_result(engine.run(item, limits)))
            if time.monotonic() - written_s > _FLUSH_S:
                _write(b"".join(waiting))
                waiting.clear()
                written_s = time.monotonic()
    finally:
        _write(b"".join(waiting))


def main() -> None:
    """Compiles one module, then runs batches until stdin ends."""
    memory_bytes, wall_limit_s = int(sys.argv[1]), float(sys.argv[2])
    os.nice(int(sys.argv[3]))
    end_with_parent()
    confine(memory_bytes)
    try:
        limit_cpu(wall_limit_s)
        engine = Engine(_read_frame())
        _write(pack_ready())
        while True:
            _serve_batch(engine, wall_limit_s)
    except DeviceFailure as failure:
        _write(pack_failure(failure))


if __name__ == "__main__":
    main()
