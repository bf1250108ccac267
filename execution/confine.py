"""What the child gives up before it touches a program: files, processes, memory, time, privileges, system calls.

A program has no imports, so it can ask for nothing; this is for the case that the engine itself has a hole. Linux has
all of it, other systems the resource limits only.
"""

import ctypes
import os
import platform
import resource
import select
import signal
import struct
import sys
import threading
from typing import NamedTuple

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_ALL_THREADS = 1, 1
_ADDRESS_SPACE_BYTES = 64 << 30
"""wasmtime reserves 4 GiB of addresses for each memory and its guards; what is used is bounded by RLIMIT_DATA."""
_BASE_BYTES = 512 << 20
"""Python, the compiler and one batch of tasks."""


class _Calls(NamedTuple):
    """System call numbers of one architecture: seccomp(2) itself, those denied; and its AUDIT_ARCH."""

    seccomp: int
    audit: int
    denied: tuple[int, ...]


# Calls that no task needs, by architecture.
# fmt: off
_DENIED = {
    "x86_64": _Calls(
        seccomp=317,
        audit=0xC000003E,
        denied=(
            # open creat openat openat2 execve execveat fork vfork clone clone3 socket connect bind listen ptrace
            # kill tkill tgkill process_vm_readv process_vm_writev unlink unlinkat rename renameat renameat2 mount
            # bpf io_uring_setup chdir chroot setuid setgid keyctl add_key memfd_create pidfd_open symlink link
            # mkdir rmdir chmod chown
            2, 85, 257, 437, 59, 322, 57, 58, 56, 435, 41, 42, 49, 50, 101, 62, 200, 234, 310, 311, 87, 263, 82,
            264, 316, 165, 321, 425, 80, 161, 105, 106, 250, 248, 319, 434, 88, 86, 83, 84, 90, 92,
        ),
    ),
    "aarch64": _Calls(
        seccomp=277,
        audit=0xC00000B7,
        denied=(
            # openat openat2 execve execveat clone clone3 socket connect bind listen ptrace kill tkill tgkill
            # process_vm_readv process_vm_writev unlinkat renameat renameat2 mount bpf io_uring_setup chdir chroot
            # setuid setgid keyctl add_key memfd_create pidfd_open symlinkat linkat mkdirat fchmodat fchownat
            56, 437, 221, 281, 220, 435, 198, 203, 200, 201, 117, 129, 130, 131, 270, 271, 35, 38, 276, 40, 280,
            425, 49, 51, 146, 144, 219, 217, 279, 434, 36, 37, 34, 53, 54,
        ),
    ),
}
# fmt: on


def watch_parent() -> None:
    """Ends this process when its parent is gone, also in the middle of a task.

    PR_SET_PDEATHSIG is not used: it fires when the *thread* that started the child ends, and agents start children from
    worker threads.
    """
    threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def _wait_for_parent(parent: int) -> None:
    """The parent's end of stdin hangs up; should a fork have kept it open, the parent's id changes."""
    poll = select.poll()
    poll.register(0, 0)
    while not poll.poll(1_000) and os.getppid() == parent:
        pass
    os._exit(0)


def confine(memory_bytes: int) -> None:
    """Limits this process, for good. `memory_bytes` is what a program may use beside the engine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.closerange(3, 256)
    _limit(resource.RLIMIT_AS, _ADDRESS_SPACE_BYTES)
    _limit(resource.RLIMIT_DATA, _BASE_BYTES + memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 3)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_NPROC, 0)
        _give_up_privileges()


def limit_cpu(seconds: float) -> None:
    """Allows this much more processor time before SIGXCPU ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _give_up_privileges() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    calls = _DENIED.get(platform.machine())
    if calls:
        _deny_calls(libc, calls)


def _deny_calls(libc: ctypes.CDLL, calls: _Calls) -> None:
    """A seccomp filter: the listed calls, another architecture's and x32's fail with EPERM, the rest pass."""
    program = _filter(calls.audit, calls.denied)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    # A kernel without seccomp leaves the resource limits, which do not depend on it.
    libc.syscall(calls.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_ALL_THREADS, header)


def _filter(architecture: int, numbers: tuple[int, ...]) -> bytes:
    """The filter in classic BPF: (code, jump if true, jump if false, operand) in 8 bytes each."""
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, deny = 0x7FFF0000, 0x00050001
    rows = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, deny), (load, 0, 0, 0)]
    count = len(numbers)
    rows.append((at_least, count + 1, 0, 0x40000000))
    rows += [(equal, count - k, 0, number) for k, number in enumerate(numbers)]
    rows += [(answer, 0, 0, allow), (answer, 0, 0, deny)]
    return b"".join(struct.pack("HBBI", *row) for row in rows)
