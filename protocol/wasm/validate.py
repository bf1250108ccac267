"""Type checking of function bodies, by the algorithm of the WebAssembly specification's appendix.

It also finds the largest height of the operand stack, which the frame limit is counted from.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocol.wasm import bounds
from protocol.wasm import opcodes as op
from protocol.wasm.binary import Instruction, Module, instructions
from protocol.wasm.errors import ModuleRefused


@dataclass(frozen=True, slots=True)
class CheckedFunction:
    """A body that is well typed: its instructions and the largest number of operands on its stack."""

    instructions: tuple[Instruction, ...]
    max_operands: int


@dataclass(slots=True)
class _Label:
    """An open block: its opcode, its result, the stack's height where it began, whether its rest is dead."""

    code: int
    results: bytes
    height: int
    dead: bool = False

    @property
    def branch_types(self) -> bytes:
        """What a branch to this label carries: nothing to a loop's head."""
        return b"" if self.code == op.LOOP else self.results


class _Checker:
    """Steps through one body; `operands` holds types, None where dead code leaves the type open."""

    def __init__(self, module: Module, function: int) -> None:
        own = module.function_type(function)
        self.module = module
        self.locals = own.parameters + module.bodies[function].locals
        self.operands: list[int | None] = []
        self.labels = [_Label(op.BLOCK, own.results, 0)]
        self.max_operands = 0
        self.special: dict[int, Callable[[Instruction], None]] = {
            op.UNREACHABLE: self._unreachable,
            op.BLOCK: self._open,
            op.LOOP: self._open,
            op.IF: self._if,
            op.ELSE: self._else,
            op.END: self._end,
            op.BR: self._br,
            op.BR_IF: self._br_if,
            op.BR_TABLE: self._br_table,
            op.RETURN: self._return,
            op.CALL: self._call,
            op.CALL_INDIRECT: self._call_indirect,
            op.DROP: self._drop,
            op.SELECT: self._select,
            op.LOCAL_GET: self._local,
            op.LOCAL_SET: self._local,
            op.LOCAL_TEE: self._local,
            op.GLOBAL_GET: self._global,
            op.GLOBAL_SET: self._global,
        }

    def step(self, instruction: Instruction) -> None:
        """Applies one instruction. Raises ModuleRefused where it does not fit."""
        row = op.OPCODES[instruction.code]
        if row.pops is None or row.pushes is None:
            self.special[instruction.code](instruction)
        else:
            if row.immediate in (op.Immediate.MEMARG, op.Immediate.ZERO, op.Immediate.ZEROS):
                self._check_memory(instruction, row.width)
            self._apply(row.pops, row.pushes)
        if len(self.operands) > self.max_operands:
            self.max_operands = len(self.operands)
            if self.max_operands > bounds.MAX_OPERANDS:
                raise self._refuse(f"more than {bounds.MAX_OPERANDS} operands on the stack")

    def _refuse(self, reason: str) -> ModuleRefused:
        return ModuleRefused(None, 0, reason)

    def _check_memory(self, instruction: Instruction, width: int) -> None:
        if self.module.memory is None:
            raise self._refuse("there is no memory")
        if width and (instruction.align >= 32 or 1 << instruction.align > width):
            raise self._refuse("an alignment larger than the access")

    def _pop(self, wanted: int | None = None) -> int | None:
        label = self.labels[-1]
        if len(self.operands) == label.height:
            if label.dead:
                return wanted
            raise self._refuse("an operand is missing")
        got = self.operands.pop()
        if got is not None and wanted is not None and got != wanted:
            raise self._refuse("an operand has the wrong type")
        return wanted if got is None else got

    def _pop_all(self, types: bytes) -> None:
        for wanted in reversed(types):
            self._pop(wanted)

    def _apply(self, pops: bytes, pushes: bytes) -> None:
        self._pop_all(pops)
        self.operands.extend(pushes)

    def _kill(self) -> None:
        """The rest of the block cannot be reached."""
        label = self.labels[-1]
        del self.operands[label.height :]
        label.dead = True

    def _label(self, depth: int) -> _Label:
        if depth >= len(self.labels):
            raise self._refuse(f"there is no label {depth}")
        return self.labels[-1 - depth]

    def _unreachable(self, _: Instruction) -> None:
        self._kill()

    def _open(self, instruction: Instruction) -> None:
        results = b"" if instruction.immediate == op.EMPTY else bytes([instruction.immediate])
        self.labels.append(_Label(instruction.code, results, len(self.operands)))

    def _if(self, instruction: Instruction) -> None:
        self._pop(op.I32)
        self._open(instruction)

    def _close(self) -> _Label:
        label = self.labels[-1]
        self._pop_all(label.results)
        if len(self.operands) != label.height:
            raise self._refuse("operands are left at the end of a block")
        return self.labels.pop()

    def _else(self, _: Instruction) -> None:
        label = self._close()
        if label.code != op.IF:
            raise self._refuse("else without if")
        self.labels.append(_Label(op.ELSE, label.results, label.height))

    def _end(self, _: Instruction) -> None:
        label = self._close()
        if label.code == op.IF and label.results:
            raise self._refuse("an if with a result needs an else")
        self.operands.extend(label.results)

    def _br(self, instruction: Instruction) -> None:
        self._pop_all(self._label(instruction.immediate).branch_types)
        self._kill()

    def _br_if(self, instruction: Instruction) -> None:
        self._pop(op.I32)
        types = self._label(instruction.immediate).branch_types
        self._apply(types, types)

    def _br_table(self, instruction: Instruction) -> None:
        self._pop(op.I32)
        types = self._label(instruction.targets[-1]).branch_types
        if any(self._label(depth).branch_types != types for depth in instruction.targets):
            raise self._refuse("the targets of a br_table differ in type")
        self._pop_all(types)
        self._kill()

    def _return(self, _: Instruction) -> None:
        self._pop_all(self.labels[0].results)
        self._kill()

    def _call(self, instruction: Instruction) -> None:
        if instruction.immediate >= len(self.module.functions):
            raise self._refuse(f"there is no function {instruction.immediate}")
        callee = self.module.function_type(instruction.immediate)
        self._apply(callee.parameters, callee.results)

    def _call_indirect(self, instruction: Instruction) -> None:
        if self.module.table is None:
            raise self._refuse("there is no table")
        if instruction.immediate >= len(self.module.types):
            raise self._refuse(f"there is no type {instruction.immediate}")
        callee = self.module.types[instruction.immediate]
        self._pop(op.I32)
        self._apply(callee.parameters, callee.results)

    def _drop(self, _: Instruction) -> None:
        self._pop()

    def _select(self, _: Instruction) -> None:
        self._pop(op.I32)
        first = self._pop()
        second = self._pop(first)
        self.operands.append(second)

    def _local(self, instruction: Instruction) -> None:
        if instruction.immediate >= len(self.locals):
            raise self._refuse(f"there is no local {instruction.immediate}")
        kind = self.locals[instruction.immediate]
        if instruction.code != op.LOCAL_GET:
            self._pop(kind)
        if instruction.code != op.LOCAL_SET:
            self.operands.append(kind)

    def _global(self, instruction: Instruction) -> None:
        if instruction.immediate >= len(self.module.globals):
            raise self._refuse(f"there is no global {instruction.immediate}")
        target = self.module.globals[instruction.immediate]
        if instruction.code == op.GLOBAL_GET:
            self.operands.append(target.type)
        elif not target.mutable:
            raise self._refuse("a constant global is set")
        else:
            self._pop(target.type)


def check_function(module: Module, function: int) -> CheckedFunction:
    """Checks one body. Raises ModuleRefused with the function's index and the offset of the instruction at fault."""
    checker = _Checker(module, function)
    own = module.function_type(function)
    offset = module.bodies[function].start
    checked: list[Instruction] = []
    try:
        if len(checker.locals) > bounds.MAX_LOCALS:
            raise ModuleRefused(None, offset, f"{len(own.parameters)} parameters and too many locals")
        for instruction in instructions(module.data, module.bodies[function]):
            offset = instruction.start
            checker.step(instruction)
            checked.append(instruction)
    except ModuleRefused as refused:
        raise ModuleRefused(function, refused.offset or offset, refused.cause) from None
    return CheckedFunction(tuple(checked), checker.max_operands)
