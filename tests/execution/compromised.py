"""`python -m tests.execution.compromised MEMORY WALL NICE`: the sandboxed child with an engine in its attacker's hand.

Instead of a program it runs the attempt that the input names (`name`, a zero byte, an argument). An attempt that is
refused raises; one that returns has escaped, and says so in a result. With `--free` it tries attempts unconfined.
"""

import ctypes
import mmap
import os
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from execution import child
from execution.result import TaskResult
from execution.wire import HEAD, pack_result
from protocol.merkle import Status

GIB = 1 << 30
LIBC = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE


def system_call(number_x86_64, number_aarch64, *arguments):
    number = number_x86_64 if os.uname().machine == "x86_64" else number_aarch64
    LIBC.syscall.restype = ctypes.c_long
    answer = LIBC.syscall(*(part if isinstance(part, bytes) else ctypes.c_long(part) for part in (number, *arguments)))
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return answer


def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as it:
        it.connect(address)


def fork():
    if os.fork() == 0:
        os._exit(0)


def clone3():
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, signal.SIGCHLD)
    if system_call(435, 435, ctypes.addressof(arguments), ctypes.sizeof(arguments)) == 0:
        os._exit(0)


def memory(flags, count=2 * GIB):
    """Maps and touches memory."""
    mapped = mmap.mmap(-1, count, flags | mmap.MAP_ANONYMOUS)
    for place in range(0, count, PAGE):
        mapped[place] = 1


def read_parent():
    target = ctypes.create_string_buffer(8)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(target), 8)
    address = ctypes.addressof(vector)
    system_call(310, 270, os.getppid(), address, 1, address, 1, 0)


def raised(what, value):
    """Past what this process has: to be refused, and to be seen if it was not."""
    before = resource.getrlimit(what)
    resource.setrlimit(what, (value, value))
    if resource.getrlimit(what) == before:
        raise OSError("nothing was raised")


def kernel(*numbers_and_arguments):
    return lambda _: system_call(*numbers_and_arguments)


def buffer(size=256):
    return ctypes.addressof(ctypes.create_string_buffer(size))


# fmt: off
FREE = {  # those that any user's unconfined process can do on an ordinary machine
    "read a file": lambda path: Path(path).read_bytes(),
    "write a file": lambda path: Path(path).write_bytes(b"x"),
    "make a folder": os.mkdir,
    "make a link": lambda path: Path(path).symlink_to("/"),
    "list a folder": lambda _: next(Path("/").iterdir()),
    "look for a file": lambda _: Path("/").stat(),
    "change its folder": lambda _: os.chdir("/"),
    "internet": lambda port: connect(socket.AF_INET, ("127.0.0.1", int(port))),
    "datagram": lambda port: connect(socket.AF_INET, ("127.0.0.1", int(port)), socket.SOCK_DGRAM),
    "unix socket": lambda path: connect(socket.AF_UNIX, path),
    "abstract socket": lambda name: connect(socket.AF_UNIX, f"\0{name}"),
    "socket pair": lambda _: socket.socketpair(),
    "netlink": lambda _: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "fork": lambda _: fork(),
    "thread": lambda _: threading.Thread(target=int).start(),
    "become another": lambda _: os.execv("/bin/true", ["true"]),
    "kill its parent": lambda _: os.kill(os.getppid(), 0),
    "pidfd of its parent": lambda _: system_call(434, 434, os.getppid(), 0),
    "its own session": lambda _: os.setsid(),
    "priority": lambda _: os.setpriority(os.PRIO_PROCESS, 0, 19),
    "memory": lambda _: bytearray(2 * GIB),
    "shared memory": lambda _: memory(mmap.MAP_SHARED, 1 << 20),
    "memory that grows": lambda _: memory(mmap.MAP_PRIVATE | 0x100, 1 << 20),
    "memfd": lambda _: os.memfd_create("x"),
    "pipe": lambda _: os.pipe(),
    "other file number": lambda _: os.dup2(1, 200),
    "terminal": lambda _: os.isatty(1) or os.set_inheritable(1, True),
    "limit of its parent": lambda _: resource.prlimit(os.getppid(), resource.RLIMIT_CPU),
    "option of its process": kernel(157, 167, 4, 0),
    "timer": lambda _: signal.setitimer(signal.ITIMER_REAL, 100),
}
REFUSED = FREE | {  # and those that take rights, a newer kernel, or a limit to be passed
    "trace its parent": lambda _: system_call(101, 117, 16, os.getppid(), 0, 0),
    "be traced": kernel(101, 117, 0, 0, 0, 0),
    "read its parent": lambda _: read_parent(),
    "signal a thread": lambda _: system_call(234, 131, os.getppid(), os.getppid(), 0),
    "signal everybody": lambda _: os.kill(-1, 0),
    "files allowed": lambda _: raised(resource.RLIMIT_NOFILE, 64),
    "memory allowed": lambda _: raised(resource.RLIMIT_DATA, 8 * GIB),
    "file size allowed": lambda _: raised(resource.RLIMIT_FSIZE, GIB),
    "processes allowed": lambda _: raised(resource.RLIMIT_NPROC, 64),
    "large shared memory": lambda _: memory(mmap.MAP_SHARED),
    "large memory that grows": lambda _: memory(mmap.MAP_PRIVATE | 0x100),
    "huge pages": lambda _: memory(mmap.MAP_PRIVATE | 0x40000, 2 << 20),
    "io_uring": lambda _: system_call(425, 425, 1, buffer()),
    "mount": lambda _: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) and raised_errno(),
    "namespaces": kernel(272, 97, 0x00020000),
    "join a namespace": kernel(308, 268, 0, 0),
    "bpf": lambda _: system_call(321, 280, 0, buffer(), 128),
    "add a key": lambda _: system_call(248, 217, b"user", b"x", b"y", 1, -3),
    "performance counters": lambda _: system_call(298, 241, buffer(), 0, -1, -1, 0),
    "userfaultfd": kernel(323, 282, 0),
    "second filter": kernel(317, 277, 0, 0, 0),
    "roots": lambda _: os.chroot("/"),
    "another user": lambda _: os.setuid(65534),
    "system log": kernel(103, 116, 10, 0, 0),
    "user namespace": kernel(272, 97, 0x00000400),
    "key ring": kernel(250, 219, 0, -3, 1),
    "personality": kernel(135, 92, 0xFFFFFFFF),
    "clone3": lambda _: clone3(),
    "private memory": lambda _: memory(mmap.MAP_PRIVATE, 2 * GIB),
    "open itself": lambda _: os.close(os.open("/proc/self/mem", os.O_RDWR)),
    "unknown call": kernel(999, 999),
    "call of x32": kernel(0x40000000 | 39, 999),
}
# fmt: on


def raised_errno():
    raise OSError(ctypes.get_errno(), "mount")


def flood(answer):
    """Gigabytes into the pipe."""
    chunk = answer * (1 + (1 << 20) // len(answer))
    while True:
        os.write(1, chunk)


def deaf(_):
    """Outlives everything that may be caught or ignored."""
    for number in range(1, signal.NSIG):
        if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
            signal.signal(number, signal.SIG_IGN)
    while True:
        pass


GOOD = pack_result(TaskResult(Status.OK, b"made up", 1))
# fmt: off
LIES = {  # attempts on the parent, or on its time
    "spin": deaf,
    "sleep": lambda _: time.sleep(1_000),
    "end well": lambda _: os._exit(0),
    "crash": lambda _: ctypes.string_at(0),
    "flood of zeros": lambda _: flood(bytes(65_536)),
    "flood of bytes": lambda _: flood(b"\xff" * 65_536),
    "endless failure": lambda _: flood(HEAD.pack(255, 0, 0, 2**32 - 1)),
    "oversized": lambda _: os.write(1, HEAD.pack(0, 1, 0, 2**32 - 1)) and deaf(_),
    "truncated": lambda _: os.write(1, GOOD[:-1]) and os._exit(0),
    "held back": lambda _: os.write(1, GOOD[:-1]) and deaf(_),
    "unknown status": lambda _: os.write(1, HEAD.pack(200, 1, 0, 0)),
    "digest unasked": lambda _: os.write(1, HEAD.pack(0, 1, 1, 0) + bytes(32)),
    "too much work": lambda _: os.write(1, HEAD.pack(0, 2**64 - 1, 0, 0)),
}
# fmt: on


class Engine:
    """Says that it compiled; then does what the input says."""

    def __init__(self, module):
        if module == b"never ready":
            deaf(None)
        if module == b"ready with more":
            os.write(1, HEAD.pack(0, 7, 0, 0))

    def run(self, input_, _limits):
        name, _, argument = input_.decode().partition("\0")
        {**REFUSED, **LIES, "quiet": str, "unasked": lambda _: os.write(1, GOOD + GOOD)}[name](argument)
        return TaskResult(Status.OK, b"escaped", 1)


def try_free(arguments):
    """Prints the names of attempts that succeed here, each in a process of its own."""
    for name, attempt in FREE.items():
        process = os.fork()
        if process == 0:
            try:
                attempt(arguments.get(name, ""))
            except OSError:
                os._exit(1)
            os._exit(0)
        if os.waitpid(process, 0)[1] == 0:
            print(name)


if __name__ == "__main__":
    if sys.argv[1] == "--free":
        try_free(dict(part.split("=", 1) for part in sys.argv[2:]))
    else:
        child.Engine = Engine
        child.main()
