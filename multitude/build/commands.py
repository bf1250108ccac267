"""`multitude build`, `check` and `programs`. Exit status: 0 admitted, 1 refused or a failed trial, 2 cannot tell."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from multitude.errors import MultitudeError, ProgramRefused, ProgramUnknown

if TYPE_CHECKING:
    from multitude import MarketApi
    from multitude.build.module import BuiltModule, Trial
    from protocol.wasm import Limits

REFUSED, CANNOT_TELL = 1, 2
REGISTER_TIMEOUT_S = 60.0
PREVIEW_BYTES = 64
EXPORTS_SHOWN = 20

Wu = Annotated[int, typer.Option("--wu", help="most work units of a task", min=1)]
Pages = Annotated[int, typer.Option("--memory-pages", help="most memory, in pages of 64 KiB", min=1)]
PagesOrDeclared = Annotated[
    int | None, typer.Option("--memory-pages", help="most memory, in pages of 64 KiB; what the module declares", min=1)
]
Frames = Annotated[int, typer.Option("--frame-bytes", help="most bytes of all active calls' frames", min=1)]
Stack = Annotated[int, typer.Option("--stack-bytes", help="stack in linear memory for arrays and the like", min=64)]
Try = Annotated[list[Path] | None, typer.Option("--try", help="run this input here; may be given several times")]
TryOutput = Annotated[Path | None, typer.Option("--try-output", help="write the last trial's output to this file")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Api = Annotated[str | None, typer.Option(envvar="MULTITUDE_API", help="address of the market")]
ModuleFile = Annotated[Path, typer.Argument(help="a built module (.wasm)")]

_WU, _FRAME_BYTES, _MEMORY_PAGES, _STACK_BYTES = 10_000_000_000, 65_536, 16, 16_384

programs = typer.Typer(no_args_is_help=True, help="Programs that a market knows: list, show, register.")


def mount(app: typer.Typer) -> None:
    """Adds the commands to `multitude`."""
    app.command("build")(build)
    app.command("check")(check)
    app.add_typer(programs, name="programs")


def build(
    source: Annotated[Path, typer.Argument(help="a .c or .zig file; guest.h and the Zig module `guest` are found")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="the module; beside the source")] = None,
    wu: Wu = _WU,
    memory_pages: Pages = _MEMORY_PAGES,
    frame_bytes: Frames = _FRAME_BYTES,
    stack_bytes: Stack = _STACK_BYTES,
    inputs: Try = None,
    try_output: TryOutput = None,
    as_json: Json = False,
) -> None:
    """Compile a program, admit it, write the module that is shipped, say what it is."""
    with _telling(as_json):
        from multitude.build.module import build_source
        from protocol.wasm import Limits

        built = build_source(source, Limits(wu, memory_pages, frame_bytes), stack_bytes)
        target = output or source.with_suffix(".wasm")
        target.write_bytes(built.module)
        trials = _trials(built, inputs, try_output)
    _finish(built, target, trials, as_json)


def check(
    module: ModuleFile,
    wu: Wu = _WU,
    memory_pages: PagesOrDeclared = None,
    frame_bytes: Frames = _FRAME_BYTES,
    inputs: Try = None,
    try_output: TryOutput = None,
    as_json: Json = False,
) -> None:
    """Admit a module that was built by whatever means, say what it is."""
    with _telling(as_json):
        built = _examined(module, wu, memory_pages, frame_bytes)
        trials = _trials(built, inputs, try_output)
    _finish(built, module, trials, as_json)


@programs.command("list")
def list_(api: Api = None, as_json: Json = False) -> None:
    """Programs, newest first."""
    with _telling(as_json), _market(api) as market:
        page = market.programs()
        rows: list[dict[str, Any]] = page["programs"]
        while page["next"] is not None:
            page = market.programs(page["next"])
            rows += page["programs"]
    lines = [f"{row['programId']}  {row['state']:11}  {row['name'] or ''}".rstrip() for row in rows]
    typer.echo(json.dumps(rows, indent=2) if as_json else "\n".join(lines) or "no programs")


@programs.command()
def show(
    program: Annotated[str, typer.Argument(help="id of the program")], api: Api = None, as_json: Json = False
) -> None:
    """All that a program's id commits to."""
    with _telling(as_json), _market(api) as market:
        row = market.program(program)
    lines = [f"{name:18} {value}" for name, value in row.items()]
    typer.echo(json.dumps(row, indent=2) if as_json else "\n".join(lines))


@programs.command()
def register(
    module: ModuleFile,
    name: Annotated[str | None, typer.Option(help="a name for people")] = None,
    wu: Wu = _WU,
    memory_pages: PagesOrDeclared = None,
    frame_bytes: Frames = _FRAME_BYTES,
    wait: Annotated[bool, typer.Option(help="until the chain has it")] = True,
    api: Api = None,
    as_json: Json = False,
) -> None:
    """Upload a module and have it admitted and registered on chain; print its id."""
    with _telling(as_json):
        from multitude.build.registration import register_program

        built = _examined(module, wu, memory_pages, frame_bytes)
        with _market(api) as market:
            state = register_program(market, built, name, REGISTER_TIMEOUT_S if wait else 0)
        if wait and state != "registered":
            raise MultitudeError(f"{built.program_id} is {state} after {REGISTER_TIMEOUT_S:.0f} s")
    typer.echo(json.dumps({"programId": built.program_id, "state": state}) if as_json else built.program_id)


def _limits(module: bytes, wu: int, memory_pages: int | None, frame_bytes: int) -> "Limits":
    from multitude.build.module import declared_pages
    from protocol.wasm import Limits

    return Limits(wu, declared_pages(module) if memory_pages is None else memory_pages, frame_bytes)


def _examined(module: Path, wu: int, memory_pages: int | None, frame_bytes: int) -> "BuiltModule":
    from multitude.build.module import examine

    data = module.read_bytes()
    return examine(data, _limits(data, wu, memory_pages, frame_bytes))


def _market(api: str | None) -> "MarketApi":
    from multitude import MarketApi
    from multitude.network import NETWORK_FILE, read_network

    url = api or read_network().get("api")
    if not url:
        raise MultitudeError(f"no --api is given and {NETWORK_FILE} is not there")
    return MarketApi(str(url))


def _trials(built: "BuiltModule", inputs: list[Path] | None, output: Path | None) -> "list[Trial]":
    from multitude.build.module import try_out

    if not inputs:
        return []
    trials = try_out(built, [(str(path), path.read_bytes()) for path in inputs])
    if output is not None:
        output.write_bytes(trials[-1].output)
    return trials


def _finish(built: "BuiltModule", path: Path, trials: "list[Trial]", as_json: bool) -> NoReturn:
    value = {"module": str(path), **built.to_json(), "trials": [trial.to_json() for trial in trials]}
    typer.echo(json.dumps(value, indent=2) if as_json else "\n".join([*_lines(built, path), *map(_trial_line, trials)]))
    raise typer.Exit(0 if all(trial.status == "ok" for trial in trials) else REFUSED)


def _lines(built: "BuiltModule", path: Path) -> list[str]:
    limits, (low, high) = built.program.limits, built.memory_pages
    facts, hidden = built.to_json(), len(built.exports) - EXPORTS_SHOWN
    more = f" and {hidden} more" if hidden > 0 else ""
    return [
        f"module      {path}, {len(built.module)} bytes; {len(built.program.rewritten)} as devices run it",
        f"program     {built.program_id}",
        f"class       {facts['class']}",
        f"limits      {limits.wu} WU a task, {limits.memory_pages} pages, {limits.frame_bytes} bytes of frames",
        f"memory      {low} to {high} pages of 64 KiB",
        f"exports     {', '.join(built.exports[:EXPORTS_SHOWN])}{more}; {built.functions} functions",
    ]


def _trial_line(trial: "Trial") -> str:
    shown = trial.output[:PREVIEW_BYTES]
    text = shown.decode("ascii", "replace")
    preview = repr(text) if text.isprintable() and text.isascii() else shown.hex()
    more = "..." if len(trial.output) > PREVIEW_BYTES else ""
    came = f"output of {len(trial.output)} bytes {preview}{more}"
    return f"try         {trial.input}: {trial.status}, {trial.wu} WU, {came}"


@contextmanager
def _telling(as_json: bool) -> Iterator[None]:
    """Errors as a line or an object, with the exit status that they mean."""
    from execution import DeviceFailure
    from multitude.build.errors import CompileRefused, NotAdmitted

    try:
        yield
    except NotAdmitted as error:
        rows = [fault.to_json() for fault in error.faults]
        _fail(f"not admitted:\n{error}", {"faults": rows, "more": error.more}, as_json, REFUSED)
    except CompileRefused as error:
        _fail(str(error), {"compiler": error.words, "hints": list(error.hints)}, as_json, REFUSED)
    except ProgramRefused as error:
        rows = [fault.to_json() for fault in error.faults]
        text = "\n".join([str(error), *map(str, error.faults)])
        _fail(text, {"error": error.code, "detail": error.detail, "faults": rows}, as_json, REFUSED)
    except ProgramUnknown as error:
        _fail(str(error), {"error": error.code, "detail": error.detail}, as_json, REFUSED)
    except (MultitudeError, DeviceFailure, OSError, ValueError) as error:
        _fail(str(error), {"error": type(error).__name__, "detail": str(error)}, as_json, CANNOT_TELL)


def _fail(text: str, value: dict[str, Any], as_json: bool, status: int) -> NoReturn:
    typer.echo(json.dumps(value, indent=2) if as_json else f"multitude: {text}", err=not as_json)
    raise typer.Exit(status)
