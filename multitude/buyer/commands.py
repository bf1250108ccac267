"""`multitude job`: quotes, jobs, results from the command line."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from multitude.buyer.blocking import Client, Job
    from multitude.buyer.pricing import Terms
    from multitude.buyer.status import JobStatus

DONE, FAILED, REFUSED, TIMED_OUT, UNREACHABLE = range(5)
EXITS = "Exit status: 0 done, 1 the job failed, 2 wrong usage or refused, 3 timed out, 4 market or chain unreachable."
PROGRAM_PAGES_MOST = 20
TASK_STATES = ("accepted", "attested", "final")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help=f"Buy work: quotes, jobs, results. Without --api, --rpc and --key-file the local network's are taken. {EXITS}",
)

Api = Annotated[str | None, typer.Option(envvar="MULTITUDE_API", help="address of the market")]
Rpc = Annotated[str | None, typer.Option(envvar="MULTITUDE_RPC", help="JSON-RPC of the chain")]
KeyFile = Annotated[
    Path | None, typer.Option(envvar="MULTITUDE_KEY_FILE", help="file with the buyer's private key in hex")
]
Account = Annotated[str | None, typer.Option(help="contract account that the key signs for (EIP-1271)")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
ProgramName = Annotated[str, typer.Argument(help="id of the program, or its name at the market")]
InputPath = Annotated[Path, typer.Argument(help="folder with a file for each task, in the order of names; or one file")]
Lines = Annotated[bool, typer.Option("--lines", help="the file has one task on each line")]
Floor = Annotated[float, typer.Option(help="least share of the work to be replayed, in percent", min=1, max=100)]
JobId = Annotated[str, typer.Argument(help="id of the job")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
Cap = Annotated[str | None, typer.Option(help="refuse a job whose budget is above this many tokens")]
Timeout = Annotated[float, typer.Option(help="seconds to wait", min=0)]
Outputs = Annotated[Path | None, typer.Option(help="folder for the outputs, one file for each task")]


@app.command(epilog=EXITS)
def quote(
    program: ProgramName,
    inputs: InputPath,
    lines: Lines = False,
    replay: Floor = 1.0,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """What a job over these inputs would cost. Uploads them: inputs and outputs are public. Nothing is signed."""
    with _client(api, rpc, key_file, account) as client:
        found = client.quote(_program(client, program), _inputs(inputs, lines), _terms(replay))
    _say_json(found.to_json()) if as_json else _say_rows(found.rows())


@app.command(epilog=EXITS)
def submit(
    program: ProgramName,
    inputs: InputPath,
    *,
    lines: Lines = False,
    replay: Floor = 1.0,
    deposit: Annotated[bool, typer.Option(help="deposit what the budget lacks first")] = True,
    cap: Cap = None,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait until every task is final")] = False,
    timeout: Timeout = 3_600,
    outputs: Outputs = None,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """Show the price, ask, then sign a bid and open the job: one task for each input. Prints the job's id."""
    with _client(api, rpc, key_file, account) as client:
        program_id, data, terms = _program(client, program), _inputs(inputs, lines), _terms(replay)
        found = client.quote(program_id, data, terms)
        if not yes:
            _say_rows(found.rows(), err=True)
            if not typer.confirm("Open the job?", err=True):
                raise typer.Exit(REFUSED)
        job = client.submit(program_id, data, terms, found, deposit=deposit, cap=_wei(cap))
        if not (as_json or wait):
            typer.echo(job.job_id)
        if wait:
            typer.echo(f"job {job.job_id}", err=True)
            _finish(job, timeout, outputs, as_json)
        elif as_json:
            _say_json({"jobId": job.job_id, "tasks": job.bid.task_count, "budget": str(job.bid.budget)})


@app.command(epilog=EXITS)
def watch(
    job_id: JobId,
    timeout: Timeout = 3_600,
    outputs: Outputs = None,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Wait until every task of a job is final, then check the results against the chain."""
    with _client(api, rpc, key_file, None) as client:
        _finish(client.job(job_id), timeout, outputs, as_json)


@app.command(epilog=EXITS)
def results(
    job_id: JobId,
    state: Annotated[str, typer.Option(help="accepted, attested or final (final ones are verified)")] = "final",
    outputs: Outputs = None,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """The tasks that have reached a state by now, with their outputs; does not wait."""
    if state not in TASK_STATES:
        _refuse(f"--state is one of {', '.join(TASK_STATES)}")
    with _client(api, rpc, key_file, None) as client:
        tasks = client.job(job_id).reached(state)  # type: ignore[arg-type]
    _write(outputs, ((task.task, task.output) for task in tasks))
    if as_json:
        _say_json([{**task._asdict(), "wu": str(task.wu)} for task in tasks])
        return
    marks = {True: "replayed", False: "", None: ""}
    rows = [
        (str(task.task), task.state, marks[task.replayed], "verified" if task.verified else "", _short(task.output))
        for task in tasks
    ]
    _say_table(("task", "state", "", "", "output"), rows)


@app.command(epilog=EXITS)
def cancel(
    job_id: JobId,
    yes: Yes = False,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Cancel a job by the buyer's own transaction; tells the refund and when it comes."""
    with _client(api, rpc, key_file, None) as client:
        job = client.job(job_id)
        if not yes and not typer.confirm(f"Cancel {job_id}? Work that is posted already is paid.", err=True):
            raise typer.Exit(REFUSED)
        found = job.cancel()
    _say_json(found.to_json()) if as_json else _say_rows(found.rows())


@app.command(epilog=EXITS)
def receipt(
    job_id: JobId,
    as_csv: Annotated[bool, typer.Option("--csv", help="print the items as CSV")] = False,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Where a job's money went, leaf by leaf."""
    from multitude.buyer.receipt import LINE_HEAD

    with _client(api, rpc, key_file, None) as client:
        found = client.job(job_id).receipt()
    if as_json:
        _say_json(found.to_json())
    elif as_csv:
        typer.echo(found.to_csv(), nl=False)
    else:
        _say_rows(found.rows())
        _say_table(LINE_HEAD, found.lines())


@app.command("list", epilog=EXITS)
def list_jobs(
    limit: Annotated[int, typer.Option(help="how many", min=1, max=1000)] = 20,
    api: Api = None,
    rpc: Rpc = None,
    key_file: KeyFile = None,
    account: Account = None,
    as_json: Json = False,
) -> None:
    """The buyer's jobs, newest first."""
    with _client(api, rpc, key_file, account) as client:
        found = [status for _, status in client.jobs(limit)]
    if as_json:
        _say_json([status.to_json() for status in found])
        return
    rows = [(status.job_id, status.state, f"{status.reached('final')}/{status.task_count}") for status in found]
    _say_table(("job", "state", "final"), rows)


# --- what the commands share


def _finish(job: "Job", timeout_s: float, outputs: Path | None, as_json: bool) -> None:
    from rich.console import Console

    from multitude.buyer.display import ProgressBar
    from multitude.buyer.status import RANK

    said = [""]

    def tell(status: "JobStatus") -> None:
        text = f"{status.state}: " + ", ".join(f"{status.reached(state)} {state}" for state in RANK)
        if text != said[0]:
            said[0] = text
            typer.echo(text, err=True)

    if sys.stderr.isatty():
        with ProgressBar(job.bid.task_count, Console(stderr=True)) as bar:
            job.wait(timeout_s, lambda status: bar.show({state: status.reached(state) for state in RANK}))
    else:
        job.wait(timeout_s, tell)
    found = job.results()
    _write(outputs, enumerate(found))
    if as_json:
        _say_json({"jobId": job.job_id, "tasks": len(found), "verified": True, "outputs": None if outputs else found})
    else:
        typer.echo(f"{len(found)} tasks are final and verified")


@contextmanager
def _client(api: str | None, rpc: str | None, key_file: Path | None, account: str | None) -> "Iterator[Client]":
    """A client of what the options name, else of the local network; ends with the exit status of what goes wrong."""
    from chain.errors import ChainError, RpcFailed
    from multitude import errors
    from protocol.errors import ProtocolError

    try:
        with _open(api, rpc, key_file, account) as client:
            yield client
    except errors.JobTimedOut as error:
        _end(TIMED_OUT, error)
    except (errors.ApiUnreachable, RpcFailed) as error:
        _end(UNREACHABLE, error)
    except (errors.JobFailed, errors.ResultsInvalid, errors.ApiHostile) as error:
        _end(FAILED, error)
    except (errors.MultitudeError, ChainError, ProtocolError, OSError) as error:
        _end(REFUSED, error)


def _open(api: str | None, rpc: str | None, key_file: Path | None, account: str | None) -> "Client":
    from chain.deployment import VARIABLE, Deployment
    from multitude.buyer.blocking import Client
    from multitude.buyer.identity import key_of
    from multitude.network import account_key, read_network

    network = read_network()
    local = api is None or api.rstrip("/") == network.get("api")
    network = network if local else {}
    key = key_file.read_text().strip() if key_file is not None else account_key(network, "buyer")
    deployment = None
    if network:
        deployment = Deployment.from_json(network | {"contracts": network.get("addresses")})
    elif os.environ.get(VARIABLE):
        deployment = Deployment.from_environment()
    return Client(
        _given(api or network.get("api"), "--api"),
        key_of(_given(key, "--key-file")),
        _given(rpc or network.get("rpc"), "--rpc"),
        account=account,
        deployment=deployment,
    )


def _given(value: object, option: str) -> str:
    from multitude.errors import NetworkUnknown
    from multitude.network import NETWORK_FILE

    if not isinstance(value, str) or not value:
        raise NetworkUnknown(f"no {option} is given and {NETWORK_FILE} names none: is a local network up?")
    return value


def _program(client: "Client", name: str) -> str:
    """The id of a program by its id or name. Raises ProgramUnknown, also for a name of several."""
    from multitude.errors import ProgramUnknown

    if name.startswith("0x"):
        return name
    found: list[str] = []
    cursor: int | None = None
    for _ in range(PROGRAM_PAGES_MOST):
        page = client.api.programs(cursor)
        rows = page.get("programs") or []
        found += [str(row["programId"]) for row in rows if row.get("name") == name and row.get("state") == "registered"]
        cursor = page.get("next")
        if cursor is None:
            break
    if len(found) != 1:
        which = (
            f"several programs are called {name!r}: {', '.join(found)}" if found else f"no program is called {name!r}"
        )
        raise ProgramUnknown(404, "program_unknown", which)
    return found[0]


def _inputs(path: Path, lines: bool) -> list[bytes]:
    if path.is_dir():
        found = [file.read_bytes() for file in sorted(path.iterdir()) if file.is_file()]
    elif path.is_file():
        found = path.read_bytes().splitlines() if lines else [path.read_bytes()]
    else:
        _refuse(f"{path} is not there")
    if not found:
        _refuse(f"{path} holds no inputs")
    return found


def _terms(replay_percent: float) -> "Terms":
    from multitude.buyer.pricing import Terms

    return Terms(rate_floor_ppm=round(replay_percent * 10_000))


def _wei(amount: str | None) -> int | None:
    from multitude.buyer.display import TOKEN_WEI

    if amount is None:
        return None
    try:
        return int(Decimal(amount) * TOKEN_WEI)
    except (InvalidOperation, ValueError, OverflowError):
        _refuse(f"{amount!r} is no amount of tokens")


def _write(folder: Path | None, outputs: Iterable[tuple[int, bytes]]) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for task, output in outputs:
            (folder / f"{task:06d}").write_bytes(output)


def _short(output: bytes) -> str:
    text = output.hex()
    return text if len(text) <= 32 else f"{text[:32]}... ({len(output)} bytes)"


def _say_rows(rows: Iterable[tuple[str, str]], err: bool = False) -> None:
    found = list(rows)
    width = max(len(name) for name, _ in found)
    for name, value in found:
        typer.echo(f"{name:<{width}}  {value}", err=err)


def _say_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _say_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, default=_json_form))


def _json_form(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _refuse(text: str) -> NoReturn:
    typer.echo(f"multitude job: {text}", err=True)
    raise typer.Exit(REFUSED)


def _end(status: int, error: Exception) -> NoReturn:
    typer.echo(f"multitude job: {error}", err=True)
    raise typer.Exit(status) from None
