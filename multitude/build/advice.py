"""How to mend what a compiler or admission refuses."""

import re

_ADMISSION = (
    (r"^imports are not admitted: `(?:env\.)?(mem(cpy|move|set|cmp))`", "include guest.h, which has {1}"),
    (
        r"^imports are not admitted: `wasi",
        "build for wasm32-freestanding: a program has no files, clock or arguments, only its input",
    ),
    (r"^imports are not admitted: `([^`]+)`", "define {1} in the program itself: nothing of the host can be called"),
    (r"^floating point", "use integers or fixed point: floats are refused until every device rounds alike"),
    (
        r"^(SIMD|value type 0x7b)",
        "compile with -mcpu=mvp+bulk_memory+mutable_globals+sign_ext, as `multitude build` does",
    ),
    (r"^threads|^shared", "a program has one thread; compile without -pthread and -matomics"),
    (r"^a start function", "do first things in `alloc`, or give globals constant values"),
    (r"^there is no memory|^no memory is exported", 'export the memory as "memory", as `multitude build` does'),
    (r"^the memory declares no maximum", "link with --max-memory=BYTES, a multiple of 65536"),
    (
        r"^a memory of|^\d+ units of memory",
        "link with a smaller --max-memory, or give a higher --memory-pages (at most 1024)",
    ),
    (r'^no function "alloc"|^"alloc" is exported', "guest.h: EXPORT(alloc) u8 *alloc(u32 bytes), or ALLOC_ANY_INPUT"),
    (
        r'^no function "run"|^"run" is exported',
        "guest.h: EXPORT(run) u64 run(const u8 *input, u32 bytes); Zig: export fn run([*]const u8, u32) u64",
    ),
    (
        r"^(tail calls|exceptions|garbage|reference types|passive|section 13|extended)",
        "compile for the `mvp` CPU of wasm32",
    ),
    (
        r"^(results|\d+ results|blocks of several)",
        "return one value, and more through memory: compile without multivalue",
    ),
    (r"^\d+ bytes, at most", "strip names and debug sections; pack large tables, or put them into the inputs"),
    (r"^more than \d+ blocks|^blocks nested", "split the function"),
    (
        r"^(\d+ parameters|more than \d+ locals|\d+ (locals|groups of locals))",
        "split the function, or keep the values in an array",
    ),
    (r"^\d+ bytes of a function", "split the function, or compile with -Os"),
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


def advice_on_refusal(cause: str) -> str | None:
    """What the author can do about a rule that admission found broken, None where the rule says it all."""
    return next(iter(_matching(_ADMISSION, cause)), None)


def advice_on_compiler(words: str) -> list[str]:
    """What the author can do about the compiler's words; each hint once."""
    found = (hint for line in words.splitlines() for hint in _matching(_LINKER, line)[:1])
    return list(dict.fromkeys(found))


def _matching(rows: tuple[tuple[str, str], ...], text: str) -> list[str]:
    hints = []
    for pattern, hint in rows:
        match = re.search(pattern, text)
        if match is not None:
            first = match.group(1) if match.re.groups else ""
            pages = -(-int(first) // PAGE_BYTES) if first.isdecimal() else 0
            hints.append(hint.replace("{1}", str(first)).replace("{pages}", str(pages)))
    return hints
