"""Reading and writing the numbers of the WebAssembly binary format, strictly."""

from protocol.wasm.errors import Cause, Fault, ModuleRefused


class Reader:
    """A cursor over `data[position:end]`; every read past `end` raises ModuleRefused with the offset."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self.data = data
        self.position = position
        self.end = len(data) if end is None else end

    def fault(self, cause: Cause, message: str) -> Fault:
        """What was found at the cursor."""
        return Fault(cause, self.position, message)

    def refuse(self, cause: Cause, message: str) -> ModuleRefused:
        """The error to raise for what was found at the cursor, where reading cannot go on."""
        return ModuleRefused((self.fault(cause, message),))

    @property
    def left(self) -> int:
        """Bytes between the cursor and the end."""
        return self.end - self.position

    def byte(self) -> int:
        """The next byte."""
        if self.position >= self.end:
            raise self.refuse(Cause.MALFORMED, "unexpected end")
        value = self.data[self.position]
        self.position += 1
        return value

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise self.refuse(Cause.MALFORMED, "unexpected end")
        self.position += count
        return self.data[self.position - count : self.position]

    def u32(self) -> int:
        """An unsigned LEB128 of at most 32 bits."""
        first = self.byte()
        if first < 0x80:
            return first
        value, shift = first & 0x7F, 7
        while True:
            byte = self.byte()
            if shift == 28 and byte > 0x0F:
                raise self.refuse(Cause.MALFORMED, "a number is longer than 32 bits")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def signed(self, bits: int) -> int:
        """A signed LEB128 of at most `bits` (32 or 64) bits."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift >= bits:
                self._check_last_byte(byte, bits - (shift - 7))
                break
            if byte < 0x80:
                break
        return value - (1 << shift) if byte & 0x40 else value

    def _check_last_byte(self, byte: int, used_bits: int) -> None:
        """The bits past the number's width must repeat its sign."""
        sign = (byte & 0x7F) >> (used_bits - 1)
        if byte & 0x80 or sign not in (0, (1 << (8 - used_bits)) - 1):
            raise self.refuse(Cause.MALFORMED, "a number is too long")

    def name(self) -> str:
        """A length-prefixed UTF-8 name."""
        raw = self.take(self.u32())
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self.refuse(Cause.MALFORMED, "a name is not UTF-8") from None

    def count(self, limit: int, what: str, cause: Cause = Cause.TOO_MANY) -> int:
        """The length of a vector, refused past `limit`."""
        value = self.u32()
        if value > limit:
            raise self.refuse(cause, f"{value} {what}, at most {limit} are admitted")
        return value


MAX_SHOWN_NAME = 100


def shown(name: str, most: int = MAX_SHOWN_NAME) -> str:
    """A stranger's name as a message may hold it: short and printable, without escapes and marks of direction."""
    return "".join(c if c.isprintable() else "?" for c in name[:most])


def unsigned_leb(value: int) -> bytes:
    """An unsigned LEB128 in its shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed_leb(value: int) -> bytes:
    """A signed LEB128 in its shortest form."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
