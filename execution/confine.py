"""What the child gives up before it touches a program: files, processes, memory, time, privileges, system calls.

A program has no imports, so it can ask for nothing; this is for the case that the engine itself has a hole. Linux has
all of it, other systems the resource limits only.
"""

import ctypes
import errno
import os
import platform
import resource
import select
import signal
import struct
import sys
import threading
from typing import NamedTuple

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SECCOMP_SET_MODE_FILTER, _SECCOMP_ALL_THREADS = 1, 1
_CAPABILITY_VERSION = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT, _LANDLOCK_VERSION_ASKED = 444, 446, 1
_ADDRESS_SPACE_BYTES = 64 << 30
"""wasmtime reserves 4 GiB of addresses for each memory and its guards; what is used is bounded by RLIMIT_DATA."""
_BASE_BYTES = 512 << 20
"""Python, the compiler and one batch of tasks."""
_STACK_BYTES = 16 << 20
_MAP_UNCOUNTED = 0x00040101
"""MAP_SHARED, MAP_GROWSDOWN, MAP_HUGETLB: mappings that RLIMIT_DATA does not count."""


class _Calls(NamedTuple):
    """System call numbers of one architecture and its AUDIT_ARCH. `mmap` and `prlimit` are allowed in part."""

    audit: int
    seccomp: int
    mmap: int
    prlimit: int
    allowed: tuple[int, ...]


# All that Python, wasmtime and the allocator use once they are loaded.
# fmt: off
_CALLS = {
    "x86_64": _Calls(
        audit=0xC000003E, seccomp=317, mmap=9, prlimit=302,
        allowed=(
            # read write close poll ppoll mprotect munmap brk mremap madvise futex getrusage
            0, 1, 3, 7, 271, 10, 11, 12, 25, 28, 202, 98,
            # rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall sched_yield sched_getaffinity
            13, 14, 15, 131, 219, 24, 204,
            # writev getpid getppid gettid getrandom membarrier rseq exit exit_group
            20, 39, 110, 186, 318, 324, 334, 60, 231,
            # gettimeofday time clock_gettime clock_getres clock_nanosleep nanosleep
            96, 201, 228, 229, 230, 35,
        ),
    ),
    "aarch64": _Calls(
        audit=0xC00000B7, seccomp=277, mmap=222, prlimit=261,
        allowed=(
            # read write close ppoll mprotect munmap brk mremap madvise futex getrusage
            63, 64, 57, 73, 226, 215, 214, 216, 233, 98, 165,
            # rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall sched_yield sched_getaffinity
            134, 135, 139, 132, 128, 124, 123,
            # writev getpid getppid gettid getrandom membarrier rseq exit exit_group
            66, 172, 173, 178, 278, 283, 293, 93, 94,
            # gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep
            169, 113, 114, 115, 101,
        ),
    ),
}
# fmt: on


def confine(memory_bytes: int) -> None:
    """Limits this process, for good. `memory_bytes` is what a program may use beside the engine.

    Raises OSError where Linux refuses a wall that it knows.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.closerange(3, max(256, min(1 << 20, resource.getrlimit(resource.RLIMIT_NOFILE)[0])))
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        _give_up_privileges(libc)
        _give_up_files(libc)
    _limit_resources(memory_bytes)
    calls = _CALLS.get(platform.machine())
    if sys.platform == "linux" and calls:
        _allow_calls(libc, calls)


def end_with_parent() -> None:
    """Ends this process when its parent is gone, also in the middle of a task. To be called before `confine`.

    On Linux by the kernel, when the *thread* that started this process ends: `execution.sandbox` has one that stays.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_wait_for_parent, args=(os.getppid(),), daemon=True).start()


def limit_cpu(seconds: float) -> None:
    """Allows this much more processor time before SIGXCPU ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 2
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _wait_for_parent(parent: int) -> None:
    """The parent's end of stdin hangs up; should a fork have kept it open, the parent's id changes."""
    poll = select.poll()
    poll.register(0, 0)
    while not poll.poll(1_000) and os.getppid() == parent:
        pass
    os._exit(0)


def _limit_resources(memory_bytes: int) -> None:
    _limit(resource.RLIMIT_AS, _ADDRESS_SPACE_BYTES)
    _limit(resource.RLIMIT_DATA, _BASE_BYTES + memory_bytes)
    _limit(resource.RLIMIT_STACK, _STACK_BYTES)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 3)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_NPROC, 0)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))


def _give_up_privileges(libc: ctypes.CDLL) -> None:
    """No program started later has more rights than this process, and this process, also root's, has no capability."""
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    if libc.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)):
        raise OSError(ctypes.get_errno(), "capset")


def _give_up_files(libc: ctypes.CDLL) -> None:
    """A Landlock rule set without a rule: no file, TCP port, abstract socket or process outside; as the kernel can."""
    version = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_ASKED)
    if version < 1:
        return
    files = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    handled = struct.pack("QQQ", (1 << files) - 1, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(_LANDLOCK_CREATE, handled, ctypes.c_size_t(size), 0)
    if rules < 0 or libc.syscall(_LANDLOCK_RESTRICT, rules, 0):
        raise OSError(ctypes.get_errno(), "landlock")
    os.close(rules)


def _allow_calls(libc: ctypes.CDLL, calls: _Calls) -> None:
    """A seccomp filter over all threads: what is not listed, another architecture's and x32's calls fail with EPERM."""
    program = _filter(calls)
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if libc.syscall(calls.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_ALL_THREADS, header):
        raise OSError(ctypes.get_errno() or errno.EPERM, "seccomp")


def _filter(calls: _Calls) -> bytes:
    """The filter in classic BPF: (code, jump if true, jump if false, operand) in 8 bytes each.

    Words of what it sees: call number at 0, architecture at 4, the low half of argument k at 16 + 8 k.
    """
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    allow, deny = 0x7FFF0000, 0x00050000 | errno.EPERM
    rows = [(load, 0, 0, 4), (equal, 1, 0, calls.audit), (answer, 0, 0, deny), (load, 0, 0, 0)]
    count = len(calls.allowed)
    rows += [(equal, count - k + 2, 0, number) for k, number in enumerate(calls.allowed)]
    rows += [(equal, 3, 0, calls.mmap), (equal, 6, 0, calls.prlimit), (answer, 0, 0, deny), (answer, 0, 0, allow)]
    # mmap(_, _, _, flags, ...): private memory of a fixed size, for no other is counted.
    rows += [(load, 0, 0, 40), (any_bit, 0, 1, _MAP_UNCOUNTED), (answer, 0, 0, deny), (answer, 0, 0, allow)]
    # prlimit(0, RLIMIT_CPU, ...): `limit_cpu`.
    rows += [(load, 0, 0, 16), (equal, 0, 3, 0), (load, 0, 0, 24), (equal, 0, 1, resource.RLIMIT_CPU)]
    rows += [(answer, 0, 0, allow), (answer, 0, 0, deny)]
    return b"".join(struct.pack("HBBI", *row) for row in rows)
