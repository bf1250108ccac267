"""Sets of spans as bitmap words, their hash, and the tasks that they cover (section 4)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from protocol.encoding import UINT32_MAX, check_uint, uint_word
from protocol.errors import SpansInvalid
from protocol.hashing import keccak256

WORDS_MAX = 1024
"""Words of one set, so that two spans far apart cannot ask for gigabytes."""


def span_count(task_count: int, span_tasks: int) -> int:
    """Spans of a job: ceil(task_count / span_tasks)."""
    return -(-task_count // span_tasks)


def tasks_of_span(span: int, task_count: int, span_tasks: int) -> range:
    """The task indices of one span; SpansInvalid if the job has no such span."""
    if not 0 <= span < span_count(task_count, span_tasks):
        raise SpansInvalid(f"span {span} of {span_count(task_count, span_tasks)}")
    return range(span * span_tasks, min((span + 1) * span_tasks, task_count))


@dataclass(frozen=True)
class SpanSet:
    """A set of at least one span: bit b of words[i] is span (first_word + i) * 256 + b.

    The first and the last word are not zero: a set has one form only. SpansInvalid otherwise.
    """

    first_word: int
    words: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.words or self.words[0] == 0 or self.words[-1] == 0:
            raise SpansInvalid("the first and the last word of a set of spans are not zero")
        if len(self.words) > WORDS_MAX:
            raise SpansInvalid(f"{len(self.words)} words of spans, above {WORDS_MAX}")
        check_uint(self.first_word, 32, "firstWord")
        for word in self.words:
            check_uint(word, 256, "word of spans")
        if (self.first_word + len(self.words)) * 256 - 1 > UINT32_MAX:
            raise SpansInvalid("spans past uint32")

    @classmethod
    def of(cls, spans: Iterable[int]) -> "SpanSet":
        """The set of these span numbers. SpansInvalid if there are none, one twice, or one past uint32."""
        seen: set[int] = set()
        for span in spans:
            if span in seen or type(span) is not int or not 0 <= span <= UINT32_MAX:
                raise SpansInvalid(f"span {span} is repeated or not a uint32")
            seen.add(span)
        if not seen:
            raise SpansInvalid("no spans")
        first = min(seen) // 256
        if max(seen) // 256 - first >= WORDS_MAX:
            raise SpansInvalid(f"spans {min(seen)} and {max(seen)} are too far apart")
        words = [0] * (max(seen) // 256 - first + 1)
        for span in seen:
            words[span // 256 - first] |= 1 << (span % 256)
        return cls(first, tuple(words))

    @cached_property
    def hash(self) -> bytes:
        """spansHash = H(abi.encode(uint32 firstWord, uint256[] words))."""
        head = (self.first_word, 64, len(self.words))
        return keccak256(b"".join(uint_word(value) for value in (*head, *self.words)))

    @cached_property
    def spans(self) -> tuple[int, ...]:
        """The span numbers, rising."""
        return tuple(self._iterate())

    def __iter__(self) -> Iterator[int]:
        return iter(self.spans)

    def __len__(self) -> int:
        return len(self.spans)

    def __contains__(self, span: int) -> bool:
        word = span // 256 - self.first_word
        return 0 <= word < len(self.words) and bool(self.words[word] >> (span % 256) & 1)

    def tasks(self, task_count: int, span_tasks: int) -> tuple[int, ...]:
        """The job's task index of each position of a receipt over these spans, rising.

        Raises SpansInvalid if a span is outside the job.
        """
        return tuple(task for span in self.spans for task in tasks_of_span(span, task_count, span_tasks))

    def count(self, task_count: int, span_tasks: int) -> int:
        """Tasks of these spans; SpansInvalid if a span is outside the job."""
        last = tasks_of_span(self.spans[-1], task_count, span_tasks)
        return (len(self.spans) - 1) * span_tasks + len(last)

    def _iterate(self) -> Iterator[int]:
        for index, word in enumerate(self.words):
            base = (self.first_word + index) * 256
            left = word
            while left:
                low = left & -left
                yield base + low.bit_length() - 1
                left ^= low
