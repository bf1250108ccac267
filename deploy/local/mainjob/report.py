"""The summary for people: what was asked, what came back, what it cost, in plain words."""

from rich.console import Console
from rich.table import Table

from deploy.local.mainjob.summary import Summary

TOKEN_WEI = 10**18


def print_report(console: Console, summary: Summary, reasons: list[str]) -> None:
    """Print a run's summary, and why it failed if it did."""
    console.rule("[bold]the main job")
    _headline(console, summary)
    _devices(console, summary)
    _verification(console, summary)
    _gas(console, summary)
    _buyer(console, summary)
    _reorg(console, summary)
    for reason in reasons:
        console.print(f"[bold red]failed:[/] {reason}", highlight=False)
    seconds = "?" if summary.seconds is None else f"{summary.seconds:.0f}"
    verdict = "[bold red]The run failed" if reasons else "[bold green]The run is good"
    console.print(f"{verdict}[/] after {seconds} seconds.", highlight=False)


def amount(wei: int) -> str:
    """Token wei as tokens (MANY), with as many digits as say something."""
    return f"{wei / TOKEN_WEI:.6f}"


def _headline(console: Console, summary: Summary) -> None:
    if summary.accuracy is not None:
        console.print(
            f"{summary.tasks} images of digits were classified. Of the {summary.held_out} that the network had never "
            f"seen, {100 * summary.accuracy:.1f} % were read right.",
            highlight=False,
        )


def _devices(console: Console, summary: Summary) -> None:
    if not summary.device:
        return
    table = Table(title="Devices (amounts in MANY)", title_justify="left")
    for heading in ("device", "stake", "tasks", "WU", "gross pay", "paid out", "for checking", "bonded", "slashed"):
        table.add_column(heading, justify="left" if heading == "device" else "right", no_wrap=True)
    for line in summary.device:
        name = f"{line.address[:8]}{'' if line.honest else ' [red]liar[/]'}"
        wei = (line.gross_wei, line.paid_wei, line.deducted_wei, line.bonded_wei, line.slashed_wei)
        table.add_row(name, amount(line.stake_wei), str(line.tasks), f"{line.wu:,}", *map(amount, wei))
    console.print(table)


def _verification(console: Console, summary: Summary) -> None:
    if summary.drawn is not None and summary.overhead is not None:
        console.print(
            f"{summary.drawn} tasks were drawn for replay; verifiers replayed {100 * summary.overhead:.1f} % of the WU "
            "that was paid.",
            highlight=False,
        )
    if summary.liar is not None:
        console.print(
            f"The liar made {summary.liar.wrong_tasks} results up; the chance that the draw would have missed all of "
            f"them was {summary.liar.miss_probability:.1e}.",
            highlight=False,
        )


def _gas(console: Console, summary: Summary) -> None:
    if not summary.gas:
        return
    table = Table(title="On-chain steps, from opening the job to the last claim", title_justify="left")
    for heading in ("step", "calls", "gas", "gas for each call"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step, line in sorted(summary.gas.items(), key=lambda item: -item[1].gas):
        table.add_row(step, str(line.calls), f"{line.gas:,}", f"{line.gas // line.calls:,}")
    console.print(table)
    console.print(f"Gas for a task, N = {summary.tasks}: {summary.gas_per_task or 0:,.0f}", highlight=False)


def _buyer(console: Console, summary: Summary) -> None:
    buyer = summary.buyer
    if buyer is not None:
        console.print(
            f"The buyer escrowed {amount(buyer.escrowed_wei)} MANY, spent {amount(buyer.spent_wei)} (of it fees "
            f"{amount(buyer.fees_wei)}, more checking than the rule asks {amount(buyer.verification_wei)}) and got "
            f"{amount(buyer.refunded_wei)} back.",
            highlight=False,
        )
    if summary.conserved is not None:
        said = "holds exactly what it owes" if summary.conserved else "[red]does not hold what it owes"
        console.print(f"Every contract {said}, to the wei.", highlight=False)


def _reorg(console: Console, summary: Summary) -> None:
    reorg = summary.reorg
    if reorg is not None:
        console.print(
            f"In the middle the chain replaced {reorg.depth} blocks, from block {reorg.block} on; "
            f"{reorg.mined_again} of the {reorg.transactions} transactions that went with them were mined again.",
            highlight=False,
        )
