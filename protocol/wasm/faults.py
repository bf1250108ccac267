"""Everything that admission has against a module, not only what it meets first: for authors."""

from protocol.wasm.admit import admit, named
from protocol.wasm.binary import Body, instructions, read_locals
from protocol.wasm.errors import ModuleRefused
from protocol.wasm.places import Places
from protocol.wasm.reader import Reader


def faults(module: bytes, names: Places | None = None) -> list[ModuleRefused]:
    """What is wrong with a module: admission's own refusal first, then the first fault of each other function.

    `names` are of the same module before its names were stripped. Empty for a module that is admitted.
    """
    try:
        admit(module)
    except ModuleRefused as first:
        found = [first]
    else:
        return []
    places = Places.of(module)
    found += [fault for body in places.bodies if (fault := _first_fault(module, body)) is not None]
    if names is not None:
        places.names = names.names
    by_function: dict[int | None, ModuleRefused] = {}
    for refused in found:
        fault = named(refused, places)
        by_function.setdefault(fault.function, fault)
    return list(by_function.values())


def _first_fault(module: bytes, place: tuple[int, int]) -> ModuleRefused | None:
    """The first thing in a body that no module may have, whatever the types around it are."""
    reader = Reader(module, *place)
    try:
        body = Body(read_locals(reader), reader.position, reader.end)
        for _ in instructions(module, body):
            continue
    except ModuleRefused as refused:
        return refused
    return None
