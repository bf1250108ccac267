"""The four Merkle trees (section 3): results, receipts, inputs and words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from typing import NamedTuple

from protocol.encoding import UINT128_MAX, check_bytes32, check_uint, words_of
from protocol.errors import ProofInvalid, TreeInvalid
from protocol.hashing import keccak256
from protocol.messages import Bid, Receipt

PADDING = bytes(32)
"""The hash of a missing leaf."""


class Kind(IntEnum):
    """What a tree is over; its number tags every hash."""

    RESULT = 1
    RECEIPT = 2
    INPUT = 3
    WORD = 4


class Status(IntEnum):
    """How a task ended. One that is not OK has an empty output and costs its full limit."""

    OK = 0
    TRAP = 1
    WU_LIMIT = 2
    OUTPUT_TOO_LONG = 3


class Node(NamedTuple):
    """A hash and its sums: (wu, wu^2) in kind 1, (debit,) in kind 2, none in kinds 3 and 4."""

    hash: bytes
    sums: tuple[int, ...] = ()


_SUMS = {Kind.RESULT: 2, Kind.RECEIPT: 1, Kind.INPUT: 0, Kind.WORD: 0}


def depth_of(count: int) -> int:
    """ceil(log2 count), the length of every proof; TreeInvalid if count is 0."""
    if count < 1:
        raise TreeInvalid("a tree has at least one leaf")
    return (count - 1).bit_length()


def leaf_hash(kind: Kind, fields: bytes) -> bytes:
    """H(0, kind, abi.encode(fields))."""
    return keccak256(bytes((0, kind)) + fields)


def combine(kind: Kind, left: Node, right: Node) -> Node:
    """The parent of two nodes; TreeInvalid if a sum leaves uint128."""
    if not _SUMS[kind]:
        return Node(keccak256(bytes((1, kind)) + left.hash + right.hash))
    packed = bytes((1, kind)) + left.hash + _packed(left.sums) + right.hash + _packed(right.sums)
    sums = tuple(a + b for a, b in zip(left.sums, right.sums, strict=True))
    if max(sums) > UINT128_MAX:
        raise TreeInvalid("a sum leaves uint128")
    return Node(keccak256(packed), sums)


class Tree:
    """A tree of one kind over its leaves, which keeps all its levels."""

    def __init__(self, kind: Kind, leaves: Sequence[Node]) -> None:
        """TreeInvalid if there are no leaves or a sum leaves uint128."""
        self.kind = kind
        self.count = len(leaves)
        self._padding = _padding(kind, depth_of(self.count))
        self._levels = [list(leaves)]
        for level in range(depth_of(self.count)):
            self._levels.append(self._parents(self._levels[level], self._padding[level]))

    @property
    def top(self) -> Node:
        """The root with its sums."""
        return self._levels[-1][0]

    @property
    def root(self) -> bytes:
        """The root's hash."""
        return self.top.hash

    def leaf(self, index: int) -> Node:
        """The leaf of that index; TreeInvalid if there is none."""
        if not 0 <= index < self.count:
            raise TreeInvalid(f"leaf {index} of {self.count}")
        return self._levels[0][index]

    def proof(self, index: int) -> tuple[Node, ...]:
        """The siblings of a leaf from the leaf upwards; TreeInvalid if there is no such leaf."""
        self.leaf(index)
        siblings = []
        for level, nodes in enumerate(self._levels[:-1]):
            sibling = (index >> level) ^ 1
            siblings.append(nodes[sibling] if sibling < len(nodes) else self._padding[level])
        return tuple(siblings)

    def shared_proof(self, indices: Iterable[int]) -> tuple[Node, ...]:
        """The nodes that the paths of some leaves need and do not give, level by level, from left to right.

        Padding is not among them, so all leaves of a tree need none. TreeInvalid if there is no such leaf.
        """
        known = sorted(set(indices))
        for index in known:
            self.leaf(index)
        siblings = []
        for nodes in self._levels[:-1]:
            given = set(known)
            wanted = (index ^ 1 for index in known if index ^ 1 not in given)
            siblings += [nodes[index] for index in wanted if index < len(nodes)]
            known = sorted({index // 2 for index in known})
        return tuple(siblings)

    def _parents(self, nodes: list[Node], padding: Node) -> list[Node]:
        padded = nodes if len(nodes) % 2 == 0 else [*nodes, padding]
        return [combine(self.kind, padded[i], padded[i + 1]) for i in range(0, len(padded), 2)]


def climb(kind: Kind, leaf: Node, index: int, count: int, proof: Sequence[Node]) -> Node:
    """The root that a proof leads to.

    Raises ProofInvalid for a proof of the wrong length, an index outside the tree, or sums that are not uint128.
    """
    if not 0 <= index < count:
        raise ProofInvalid(f"leaf {index} of {count}")
    if len(proof) != depth_of(count):
        raise ProofInvalid(f"the proof has {len(proof)} entries, not {depth_of(count)}")
    node = leaf
    for level, sibling in enumerate(proof):
        _check_node(kind, sibling)
        pair = (sibling, node) if index >> level & 1 else (node, sibling)
        try:
            node = combine(kind, *pair)
        except TreeInvalid as error:
            raise ProofInvalid(error.reason) from None
    return node


def verify(kind: Kind, root: Node, leaf: Node, index: int, count: int, proof: Sequence[Node]) -> None:
    """ProofInvalid unless the leaf stands at that index of the tree with that root and those sums."""
    if climb(kind, leaf, index, count, proof) != root:
        raise ProofInvalid("the proof leads to another root")


# --- kind 1: results


@dataclass(frozen=True)
class TaskResult:
    """What a device says of one task: index in the job, length and wordsRoot of the output, cost in WU, status.

    Building one checks types only: a device may sign what no run can give, and `fault` then says so.
    """

    task_index: int
    output_length: int
    output_root: bytes
    wu: int
    status: int

    def __post_init__(self) -> None:
        check_uint(self.task_index, 32, "taskIndex")
        check_uint(self.output_length, 64, "outputLength")
        check_bytes32(self.output_root, "outputRoot")
        check_uint(self.wu, 64, "wu")
        check_uint(self.status, 8, "status")

    @classmethod
    def of_output(cls, task_index: int, output: bytes, wu: int, status: Status = Status.OK) -> "TaskResult":
        """The result of a task with this output."""
        return cls(task_index, len(output), words_root(output), wu, int(status))

    @cached_property
    def leaf(self) -> Node:
        """The result leaf, its sums wu and wu^2."""
        values = (self.task_index, self.output_length, self.output_root, self.wu, self.status)
        return Node(leaf_hash(Kind.RESULT, words_of(values)), (self.wu, self.wu * self.wu))

    def fault(self, task_index: int, bid: Bid) -> str | None:
        """Why no run of this task of the bid's job gives this result, as far as that shows without a run."""
        if self.task_index != task_index:
            return f"the result of task {self.task_index} stands for task {task_index}"
        if self.status > Status.OUTPUT_TOO_LONG:
            return f"status {self.status} is unknown"
        if not 1 <= self.wu <= bid.task_limit_wu:
            return f"{self.wu} WU, not 1 to {bid.task_limit_wu}"
        if self.output_length > bid.max_output_bytes:
            return f"{self.output_length} bytes of output, above {bid.max_output_bytes}"
        if self.output_length == 0 and self.output_root != EMPTY_ROOT:
            return "an empty output with the root of another"
        if self.status != Status.OK and (self.output_length or self.wu != bid.task_limit_wu):
            return "a task that is not ok has an empty output and costs its limit"
        return None


class ResultTree(Tree):
    """The results of a receipt, leaf k being the k-th task of its spans."""

    def __init__(self, results: Sequence[TaskResult]) -> None:
        super().__init__(Kind.RESULT, [result.leaf for result in results])

    @property
    def total_wu(self) -> int:
        """Sum of WU."""
        return self.top.sums[0]

    @property
    def total_squared_wu(self) -> int:
        """Sum of WU^2."""
        return self.top.sums[1]


# --- kind 2: receipts


def receipt_leaf(receipt: Receipt, debit: int) -> Node:
    """The receipt's leaf, its sum the debit in wei (`money.debit_of`)."""
    return Node(leaf_hash(Kind.RECEIPT, receipt.encoded), (check_uint(debit, 128, "debit"),))


class ReceiptTree(Tree):
    """The receipts of one job in one epoch, with their debits in wei."""

    def __init__(self, leaves: Sequence[tuple[Receipt, int]]) -> None:
        super().__init__(Kind.RECEIPT, [receipt_leaf(receipt, debit) for receipt, debit in leaves])

    @property
    def sum(self) -> int:
        """The job's debit in wei."""
        return self.top.sums[0]


# --- kind 3: inputs


class InputTree(Tree):
    """The inputs of a job as (byte length, wordsRoot), in task order."""

    def __init__(self, inputs: Sequence[tuple[int, bytes]]) -> None:
        super().__init__(Kind.INPUT, [Node(leaf_hash(Kind.INPUT, words_of(item))) for item in inputs])


def inputs_root(inputs: Iterable[bytes]) -> bytes:
    """inputsRoot of a bid over these inputs, in task order."""
    return InputTree([(len(data), words_root(data)) for data in inputs]).root


# --- kind 4: words

_WORD_LEAF = bytes((0, Kind.WORD))
_WORD_NODE = bytes((1, Kind.WORD))
_ZERO_LEAF = keccak256(_WORD_LEAF + bytes(32))
_BLOCK_LEVEL = 7
_BLOCK_BYTES = 32 << _BLOCK_LEVEL
_ZERO_BLOCK = bytes(_BLOCK_BYTES)

Buffer = bytes | bytearray | memoryview


EMPTY_ROOT = _ZERO_LEAF
"""wordsRoot of no bytes."""


class WordTree(Tree):
    """The kind-4 tree over data, with proofs; for a root alone `words_root` is much faster."""

    def __init__(self, data: Buffer) -> None:
        padded = bytes(data) + bytes(-len(data) % 32 if len(data) else 32)
        words = (padded[i : i + 32] for i in range(0, len(padded), 32))
        super().__init__(Kind.WORD, [Node(keccak256(_WORD_LEAF + word)) for word in words])


def words_root(data: Buffer) -> bytes:
    """wordsRoot: the kind-4 root over data zero-padded to whole 32-byte words, at least one."""
    if len(data) <= 32:
        return keccak256(_WORD_LEAF + bytes(data).ljust(32, b"\0"))
    return words_root_sparse(len(data), [(0, data)])


def words_root_sparse(length: int, segments: Iterable[tuple[int, Buffer]]) -> bytes:
    """wordsRoot of `length` zero bytes over which the segments (byte offset, bytes) are written in order.

    The memory between segments is never materialised and zero blocks are not hashed. Raises TreeInvalid if a segment
    leaves the data.
    """
    count = max(1, -(-length // 32))
    level = min(_BLOCK_LEVEL, depth_of(count))
    size = 32 << level
    blocks = _blocks_of(length, size, segments)
    if count % (1 << level):
        blocks.setdefault(count >> level, bytes(size))
    nodes = {index: _block_root(block, count - (index << level)) for index, block in blocks.items()}
    for lower in range(level, depth_of(count)):
        nodes = _parents_sparse(nodes, lower, count)
    return nodes[0] if nodes else _default_node(depth_of(count), 0, count)


def _blocks_of(length: int, size: int, segments: Iterable[tuple[int, Buffer]]) -> dict[int, bytes]:
    blocks: dict[int, bytes] = {}
    for offset, data in segments:
        if offset < 0 or offset + len(data) > length:
            raise TreeInvalid(f"a segment at {offset} of {len(data)} bytes in {length} bytes")
        position = 0
        while position < len(data):
            index, within = divmod(offset + position, size)
            piece = bytes(data[position : position + size - within])
            position += len(piece)
            old = blocks.get(index)
            if old is None and piece == _ZERO_BLOCK[: len(piece)]:
                continue
            old = old or bytes(size)
            blocks[index] = old[:within] + piece + old[within + len(piece) :]
    return blocks


def _block_root(block: bytes, words: int) -> bytes:
    """The root of a block whose words past the first `words` are missing leaves."""
    leaves = [
        keccak256(_WORD_LEAF + block[i : i + 32]) if any(block[i : i + 32]) else _ZERO_LEAF
        for i in range(0, min(len(block), 32 * words), 32)
    ]
    joined = b"".join(leaves).ljust(len(block), b"\0")
    while len(joined) > 32:
        joined = b"".join([keccak256(_WORD_NODE + joined[i : i + 64]) for i in range(0, len(joined), 64)])
    return joined


def _parents_sparse(nodes: dict[int, bytes], level: int, count: int) -> dict[int, bytes]:
    """One level up. A node that is not in the dictionary is all zero words or all padding."""
    above = {index >> 1 for index in nodes}
    if count % (2 << level):
        above.add(count >> (level + 1))
    parents = {}
    for index in above:
        left, right = (nodes.get(child) or _default_node(level, child, count) for child in (2 * index, 2 * index + 1))
        parents[index] = keccak256(_WORD_NODE + left + right)
    return parents


def _default_node(level: int, index: int, count: int) -> bytes:
    return _uniform(level, (index + 1) << level <= count)


@lru_cache(maxsize=512)
def _uniform(level: int, zero_words: bool) -> bytes:
    """The root of a full subtree of zero words, or of padding."""
    if level == 0:
        return _ZERO_LEAF if zero_words else PADDING
    below = _uniform(level - 1, zero_words)
    return keccak256(_WORD_NODE + below + below)


# --- inside


def _packed(sums: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(16, "big") for value in sums)


def _padding(kind: Kind, depth: int) -> list[Node]:
    """The padding node of each level below the root."""
    nodes = [Node(PADDING, (0,) * _SUMS[kind])]
    for _ in range(depth):
        nodes.append(combine(kind, nodes[-1], nodes[-1]))
    return nodes


def _check_node(kind: Kind, node: Node) -> None:
    if len(node.hash) != 32 or len(node.sums) != _SUMS[kind]:
        raise ProofInvalid(f"an entry of a kind-{kind.value} proof has 32 bytes and {_SUMS[kind]} sums")
    if any(not 0 <= value <= UINT128_MAX for value in node.sums):
        raise ProofInvalid("a sum is not a uint128")
