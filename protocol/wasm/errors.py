"""The one error of this package."""

from typing import Self

from protocol.errors import ProtocolError


class ModuleRefused(ProtocolError):
    """A module is not admitted.

    `function` is the index of the function at fault (None where none is), `name` what its author calls it (None where
    the module does not say), `offset` the byte of the module where reading stopped, `cause` the rule it breaks;
    `str()` is the sentence for the author, with all of them.
    """

    def __init__(self, function: int | None, offset: int, cause: str, name: str | None = None) -> None:
        place = [] if function is None else [f"function {function}" if name is None else f"function `{name}`"]
        super().__init__(f"{cause} ({', '.join([*place, f'byte {offset}'])})")
        self.function = function
        self.offset = offset
        self.cause = cause
        self.name = name

    def at(self, function: int | None, name: str | None) -> Self:
        """The same fault with its function named."""
        return type(self)(function, self.offset, self.cause, name)
