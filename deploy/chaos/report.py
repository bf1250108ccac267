"""The table of a matrix, for people and as JSON."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from deploy.chaos.trial import Trial


def print_table(console: Console, seed: int, trials: Sequence[Trial]) -> None:
    """A line for each cell, then what went wrong."""
    table = Table(title=f"Kill matrix, seed {seed}", title_justify="left")
    for heading in ("part", "state", "tasks", "service", "killed at", "works again", "all paid", ""):
        table.add_column(heading, justify="right" if heading in ("tasks", "works again", "all paid") else "left")
    for trial in trials:
        cell, at = trial.cell, trial.killed_at
        table.add_row(
            *(cell.part.value, cell.state.value, str(cell.tasks), trial.service),
            "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S"),
            *(_seconds(trial.recovered_s), _seconds(trial.paid_s)),
            "good" if trial.good else "[red]failed",
        )
    console.print(table)
    for trial in trials:
        for fault in trial.faults:
            console.print(f"[red]{trial.cell.part.value}, {trial.cell.state.value}:[/] {fault}", highlight=False)
    bad = sum(not trial.good for trial in trials)
    console.print(f"{len(trials)} cells, {bad} of them failed." if trials else "No cell was run.", highlight=False)


def write(folder: Path, seed: int, trials: Sequence[Trial]) -> Path:
    """Writes <seed>.json, whole or not at all; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}.json"
    partial = path.with_suffix(".partial")
    value = {"seed": seed, "cells": [trial.to_json() for trial in trials]}
    partial.write_text(json.dumps(value, indent=2) + "\n")
    partial.replace(path)
    return path


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
