"""`multitude audit`: chain and blobs read, recomputed, compared. Exit status 0 agrees, 1 disagrees, 2 cannot tell."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from chain.codec import Event
    from multitude.audit.findings import Report
    from multitude.audit.reader import ChainReader
    from multitude.audit.sources import Sources

app = typer.Typer(
    no_args_is_help=True,
    help="Check what was settled, from chain and blobs alone. Exit status: 0 agrees, 1 disagrees, 2 cannot tell.",
)

Rpc = Annotated[str | None, typer.Option(envvar="MULTITUDE_RPC", help="JSON-RPC of the chain")]
BlobsUrl = Annotated[str | None, typer.Option(envvar="MULTITUDE_BLOBS", help="address that blobs lie under")]
DeploymentFile = Annotated[Path | None, typer.Option(help="the deployment's file")]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
EpochId = Annotated[int, typer.Argument(help="number of the epoch", min=1)]
DataFile = Annotated[Path | None, typer.Option(help="the epoch's data from a file instead of the store")]

CANNOT_TELL = 2


@app.command()
def status(rpc: Rpc = None, blobs: BlobsUrl = None, deployment: DeploymentFile = None, as_json: Json = False) -> None:
    """What there is to audit, and whether every contract holds exactly what it owes."""
    with _telling():
        from chain.accounting import holdings

        sources, reader = _open(rpc, blobs, deployment)
        states: dict[str, int] = {}
        for epoch_id in reader.epoch_ids():
            name = reader.state(epoch_id).name.lower()
            states[name] = states.get(name, 0) + 1
        lines = [line._asdict() for line in holdings(sources.client)]
        named = {name: len(reader.log.named(name)) for name in ("JobOpened", "Claimed", "LeafVoided", "Convicted")}
        value = {"chain_id": sources.client.chain_id(), "epochs": states, "events": named, "holdings": lines}
    short = [f"{line['contract']}: {line['balance']} {line['coin']}, owes {line['owed']}" for line in lines]
    wrong = [text for text, line in zip(short, lines, strict=True) if line["balance"] != line["owed"]]
    shown = {
        **value,
        "holdings": [{**line, "balance": str(line["balance"]), "owed": str(line["owed"])} for line in lines],
    }
    _print(shown if as_json else f"chain {value['chain_id']}\nepochs {states}\nevents {named}\n" + "\n".join(short))
    raise typer.Exit(1 if wrong else 0)


@app.command()
def epochs(rpc: Rpc = None, blobs: BlobsUrl = None, deployment: DeploymentFile = None, as_json: Json = False) -> None:
    """Every posted epoch with its state."""
    with _telling():
        _, reader = _open(rpc, blobs, deployment)
        lines = [_epoch_line(reader, event) for event in reader.log.named("Posted")]
    shown = [" ".join(f"{key} {value}" for key, value in line.items()) for line in lines]
    _print(lines if as_json else "\n".join(shown) or "no epochs")


@app.command()
def epoch(
    number: EpochId,
    rpc: Rpc = None,
    blobs: BlobsUrl = None,
    deployment: DeploymentFile = None,
    data: DataFile = None,
    as_json: Json = False,
) -> None:
    """Compare an epoch without running anything: seed, draw, roots, reveals, ballots, money."""
    with _telling():
        from multitude.audit.audit import audit_epoch

        sources, reader = _open(rpc, blobs, deployment)
        report = audit_epoch(reader, sources.blobs, number, run=False, data=_bytes(data))
    _finish(report, as_json)


@app.command()
def replay(
    number: EpochId,
    task: Annotated[
        int | None, typer.Option(help="one task alone, by its index in its job, drawn or not", min=0)
    ] = None,
    rpc: Rpc = None,
    blobs: BlobsUrl = None,
    deployment: DeploymentFile = None,
    data: DataFile = None,
    as_json: Json = False,
) -> None:
    """Compare an epoch and run every drawn task again."""
    with _telling():
        from multitude.audit.audit import audit_epoch, audit_task

        sources, reader = _open(rpc, blobs, deployment)
        if task is None:
            report = audit_epoch(reader, sources.blobs, number, run=True, data=_bytes(data))
        else:
            report = audit_task(reader, sources.blobs, number, task, _bytes(data))
    _finish(report, as_json)


@app.command("verify-deployment")
def verify(
    rpc: Rpc = None,
    blobs: BlobsUrl = None,
    deployment: DeploymentFile = None,
    sources: Annotated[Path | None, typer.Option(help="checkout to rebuild the contracts from (this one)")] = None,
    as_json: Json = False,
) -> None:
    """Compare addresses, references and parameters, rebuild the contracts and compare their code (a minute or two)."""
    with _telling():
        from multitude.audit.deployment import verify_deployment
        from multitude.audit.findings import Report
        from multitude.audit.sources import open_sources
        from multitude.network import CHECKOUT

        client = open_sources(rpc, blobs, deployment).client
        report = Report("deployment", f"chain {client.deployment.chain_id}")
        report.findings += verify_deployment(client, sources or CHECKOUT)
    _finish(report, as_json)


class _telling:  # noqa: N801 - read as `with _telling():`
    """Ends with status 2 and one line where something cannot be read: an audit that fails disagrees with nobody."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        from chain.errors import ChainError
        from multitude.audit.errors import AuditError

        if isinstance(error, (ChainError, AuditError)):
            typer.echo(f"multitude audit: cannot tell: {error}", err=True)
            raise typer.Exit(CANNOT_TELL) from None


def _open(rpc: str | None, blobs: str | None, deployment: Path | None) -> "tuple[Sources, ChainReader]":
    from multitude.audit.reader import ChainReader
    from multitude.audit.sources import open_sources

    sources = open_sources(rpc, blobs, deployment)
    return sources, ChainReader(sources.client)


def _bytes(path: Path | None) -> bytes | None:
    from multitude.audit.errors import SourceMissing

    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise SourceMissing(str(error)) from error


def _epoch_line(reader: "ChainReader", posted: "Event") -> dict[str, Any]:
    head, number = posted.args["head"], int(posted.args["epochId"])
    return {
        "epoch": number,
        "state": reader.state(number).name.lower(),
        "settler": head["settler"],
        "block": posted.block_number,
        "jobs": len(head["entries"]),
        "leaves": sum(entry["count"] for entry in head["entries"]),
        "claimed": len(reader.log.named("Claimed", epochId=number)),
        "voided": len(reader.log.named("LeafVoided", epochId=number)),
        "debit_wei": str(sum(entry["sum"] for entry in head["entries"])),
    }


def _finish(report: "Report", as_json: bool) -> None:
    lines = [f"{one.outcome.value:<10} {one.topic}: {one.detail}" for one in report.findings]
    text = "\n".join([*lines, f"{report.subject} ({report.state}): {report.outcome.value}"])
    _print(report.to_json() if as_json else text)
    raise typer.Exit(report.exit_status)


def _print(value: object) -> None:
    typer.echo(value if isinstance(value, str) else json.dumps(value, indent=2))
