"""How to mend what a compiler or admission refuses."""

import re
from collections.abc import Iterable

from protocol.wasm import Cause, Fault

_ALLOC = "guest.h: EXPORT(alloc) u8 *alloc(u32 bytes), or ALLOC_ANY_INPUT"
_RUN = "guest.h: EXPORT(run) u64 run(const u8 *input, u32 bytes); Zig: export fn run([*]const u8, u32) u64"
_LATER_FEATURES = (
    Cause.TAIL_CALLS,
    Cause.EXCEPTIONS,
    Cause.GARBAGE_COLLECTION,
    Cause.REFERENCE_TYPES,
    Cause.PASSIVE_SEGMENTS,
    Cause.CONSTANT_EXPRESSION,
)
_ADMISSION: tuple[tuple[Cause, str, str], ...] = (
    (Cause.IMPORTS, r": `(?:env\.)?(mem(?:cpy|move|set|cmp))`", "include guest.h, which has {1}"),
    (
        Cause.IMPORTS,
        r": `wasi",
        "build for wasm32-freestanding: a program has no files, clock or arguments, only its input",
    ),
    (Cause.IMPORTS, r": `([^`]+)`", "define {1} in the program itself: nothing of the host can be called"),
    (Cause.FLOATING_POINT, "", "use integers or fixed point: floats are refused until every device rounds alike"),
    (Cause.SIMD, "", "compile with -mcpu=mvp+bulk_memory+mutable_globals+sign_ext, as `multitude build` does"),
    (Cause.THREADS, "", "a program has one thread; compile without -pthread and -matomics"),
    (Cause.MEMORY_KIND, "", "a program has one thread and 32-bit addresses: compile for wasm32 without -matomics"),
    (Cause.START_FUNCTION, "", "do first things in `alloc`, or give globals constant values"),
    (Cause.MEMORY_MISSING, "", 'export the memory as "memory", as `multitude build` does'),
    (Cause.MEMORY_UNBOUNDED, "", "link with --max-memory=BYTES, a multiple of 65536"),
    (
        Cause.MEMORY_TOO_LARGE,
        "memory",
        "link with a smaller --max-memory, or give a higher --memory-pages (at most 1024)",
    ),
    (Cause.EXPORT_MISSING, '"alloc"', _ALLOC),
    (Cause.EXPORT_TYPE, '^"alloc"', _ALLOC),
    (Cause.EXPORT_MISSING, '"run"', _RUN),
    (Cause.EXPORT_TYPE, '^"run"', _RUN),
    *((cause, "", "compile for the `mvp` CPU of wasm32") for cause in _LATER_FEATURES),
    (
        Cause.MULTIPLE_VALUES,
        "",
        "return one value, and more through memory: compile without multivalue",
    ),
    (
        Cause.MODULE_TOO_LARGE,
        "",
        "strip names and debug sections; pack large tables, or put them into the inputs",
    ),
    (Cause.TOO_MANY_BLOCKS, "", "split the function"),
    (Cause.TOO_MANY_LOCALS, "", "split the function, or keep the values in an array"),
    (Cause.BODY_TOO_LARGE, "", "split the function, or compile with -Os"),
)

_LINKER = (
    (
        r"undefined symbol: __\w*(?:df|sf|tf)\w*",
        "this is a float operation's routine: use integers or fixed point",
    ),
    (r"undefined symbol: (\w+)", "define {1} in the program: there is no C library and no host to call"),
    (r"maximum memory too small, (\d+) bytes needed", "its data and stack need --memory-pages {pages} or more"),
    (r"'guest\.h' file not found", 'write #include "guest.h": `multitude build` knows where it lies'),
    (r"'(\w+\.h)' file not found", "there is no C library here; guest.h has what a program can have of it"),
)

PAGE_BYTES = 65_536


def advice_on_refusal(fault: Fault) -> str | None:
    """What the author can do about a rule that admission found broken, None where the rule says it all."""
    rows = [(pattern, hint) for cause, pattern, hint in _ADMISSION if cause == fault.cause]
    return next(iter(_matching(rows, fault.message)), None)


def advice_on_compiler(words: str) -> list[str]:
    """What the author can do about the compiler's words; each hint once."""
    found = (hint for line in words.splitlines() for hint in _matching(_LINKER, line)[:1])
    return list(dict.fromkeys(found))


def _matching(rows: Iterable[tuple[str, str]], text: str) -> list[str]:
    hints = []
    for pattern, hint in rows:
        match = re.search(pattern, text)
        if match is not None:
            first = match.group(1) if match.re.groups else ""
            pages = -(-int(first) // PAGE_BYTES) if first.isdecimal() else 0
            hints.append(hint.replace("{1}", str(first)).replace("{pages}", str(pages)))
    return hints
