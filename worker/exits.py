"""What the exit status of every command says; docs/contributors.md repeats it."""

from enum import IntEnum


class Exit(IntEnum):
    """USAGE is what the command line's parser itself ends with."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    DECLINED = 4
    KEY_ELSEWHERE = 5
