"""Type checking of function bodies, by the algorithm of the WebAssembly specification's appendix.

It also finds the largest height of the operand stack, which the frame limit is counted from. Behind a fault the rest of
its block counts as dead code, where any type is possible, so that one fault does not lead to others.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from protocol.wasm import bounds
from protocol.wasm import opcodes as op
from protocol.wasm.binary import DEFINITIONS, UNKNOWN_TYPE, UNREAD, FunctionType, Instruction, Module, instructions
from protocol.wasm.errors import Cause, Fault, ModuleRefused


@dataclass(frozen=True, slots=True)
class CheckedFunction:
    """A body and the largest number of operands on its stack; its instructions, where the module has no fault yet."""

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
    """Steps through one body; `operands` holds types, OPEN where dead code or a refused type leaves them so."""

    def __init__(self, module: Module, function: int) -> None:
        own = module.function_type(function)
        self.module = module
        self.locals = own.parameters + module.bodies[function - module.imported].locals
        self.operands: list[int] = []
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

    def check_locals(self, offset: int) -> None:
        """Notes too many parameters and locals together."""
        if len(self.locals) > bounds.MAX_LOCALS:
            message = f"more than {bounds.MAX_LOCALS} parameters and locals"
            self.module.faults.note(Fault(Cause.TOO_MANY_LOCALS, offset, message))

    def check(self, instruction: Instruction) -> None:
        """Applies one instruction; notes where it does not fit and goes on behind it."""
        try:
            self._step(instruction)
        except ModuleRefused as refused:
            self.module.faults.note(replace(refused.faults[0], offset=instruction.start))
            self._recover(instruction)

    def _step(self, instruction: Instruction) -> None:
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
                raise self._misfit(f"more than {bounds.MAX_OPERANDS} operands on the stack", Cause.TOO_MANY)

    def _recover(self, instruction: Instruction) -> None:
        """Goes on behind an instruction that does not fit."""
        if instruction.code in (op.ELSE, op.END):
            label = self.labels.pop()
            del self.operands[label.height :]
            if instruction.code == op.ELSE:
                self.labels.append(_Label(op.ELSE, label.results, label.height))
            else:
                self.operands.extend(label.results)
        else:
            self._kill()
            if instruction.code == op.IF:
                self._open(instruction)

    def _misfit(self, message: str, cause: Cause = Cause.INVALID) -> ModuleRefused:
        return ModuleRefused((Fault(cause, 0, message),))

    def _check_memory(self, instruction: Instruction, width: int) -> None:
        if self.module.memory is None:
            raise self._misfit("there is no memory", Cause.MEMORY_MISSING)
        if width and (instruction.align >= 32 or 1 << instruction.align > width):
            raise self._misfit("an alignment larger than the access")

    def _pop(self, wanted: int = op.OPEN) -> int:
        label = self.labels[-1]
        if len(self.operands) == label.height:
            if label.dead:
                return wanted
            raise self._misfit("an operand is missing")
        got = self.operands.pop()
        if got != wanted and got and wanted:
            raise self._misfit("an operand has the wrong type")
        return got or wanted

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
            raise self._misfit(f"there is no label {depth}")
        return self.labels[-1 - depth]

    def _unreachable(self, _: Instruction) -> None:
        self._kill()

    def _open(self, instruction: Instruction) -> None:
        results = b"" if instruction.immediate == op.EMPTY else bytes([instruction.immediate])
        self.labels.append(_Label(instruction.code, results, len(self.operands)))

    def _if(self, instruction: Instruction) -> None:
        self._pop(op.I32)
        self._open(instruction)

    def _closing(self) -> _Label:
        """The innermost block, found to be complete."""
        label = self.labels[-1]
        self._pop_all(label.results)
        if len(self.operands) != label.height:
            raise self._misfit("operands are left at the end of a block")
        return label

    def _else(self, _: Instruction) -> None:
        label = self._closing()
        if label.code != op.IF:
            raise self._misfit("else without if")
        self.labels[-1] = _Label(op.ELSE, label.results, label.height)

    def _end(self, _: Instruction) -> None:
        label = self._closing()
        if label.code == op.IF and label.results:
            raise self._misfit("an if with a result needs an else")
        self.labels.pop()
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
            raise self._misfit("the targets of a br_table differ in type")
        self._pop_all(types)
        self._kill()

    def _return(self, _: Instruction) -> None:
        self._pop_all(self.labels[0].results)
        self._kill()

    def _call(self, instruction: Instruction) -> None:
        if instruction.immediate >= len(self.module.functions):
            raise self._misfit(f"there is no function {instruction.immediate}")
        self._enter(self.module.function_type(instruction.immediate))

    def _call_indirect(self, instruction: Instruction) -> None:
        if self.module.table is None:
            raise self._misfit("there is no table")
        if instruction.immediate >= len(self.module.types):
            raise self._misfit(f"there is no type {instruction.immediate}")
        self._pop(op.I32)
        self._enter(self.module.types[instruction.immediate])

    def _enter(self, callee: FunctionType) -> None:
        if callee is UNKNOWN_TYPE:
            self._kill()
        else:
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
            raise self._misfit(f"there is no local {instruction.immediate}")
        kind = self.locals[instruction.immediate]
        if instruction.code != op.LOCAL_GET:
            self._pop(kind)
        if instruction.code != op.LOCAL_SET:
            self.operands.append(kind)

    def _global(self, instruction: Instruction) -> None:
        if instruction.immediate >= len(self.module.globals):
            raise self._misfit(f"there is no global {instruction.immediate}")
        target = self.module.globals[instruction.immediate]
        if instruction.code == op.GLOBAL_GET:
            self.operands.append(target.type)
        elif not target.mutable:
            raise self._misfit("a constant global is set")
        else:
            self._pop(target.type)


def check_function(module: Module, function: int) -> CheckedFunction:
    """Checks one of the module's own functions. What is wrong with it goes to the module's faults.

    Types are left out where the function's own, or a section that code refers to, is not known.
    """
    faults, body = module.faults, module.bodies[function - module.imported]
    if body is UNREAD:
        return CheckedFunction((), 0)
    faults.function = function
    is_typed = module.is_sure(*DEFINITIONS) and module.function_type(function) is not UNKNOWN_TYPE
    checker = _Checker(module, function) if is_typed else None
    checked: list[Instruction] = []
    try:
        if checker is not None:
            checker.check_locals(body.start)
        for instruction in instructions(module, body):
            if checker is not None:
                checker.check(instruction)
            if not faults.total:
                checked.append(instruction)
    except ModuleRefused as refused:
        faults.note_unread(refused, "function")
    faults.function = None
    return CheckedFunction(tuple(checked), 0 if checker is None else checker.max_operands)
