"""The one error of this package."""

from protocol.errors import ProtocolError


class ModuleRefused(ProtocolError):
    """A module is not admitted.

    `function` is the index of the function at fault (None outside function bodies), `offset` the byte of the module
    where reading stopped, `cause` the rule it breaks; `reason` is the sentence for the author, with all three.
    """

    def __init__(self, function: int | None, offset: int, cause: str) -> None:
        where = f"byte {offset}" if function is None else f"function {function}, byte {offset}"
        super().__init__(f"{cause} ({where})")
        self.function = function
        self.offset = offset
        self.cause = cause
