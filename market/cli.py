"""The market's commands. Settings come from MARKET_* variables (`market/settings.py` describes each)."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Run a market.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Url = Annotated[str, typer.Option(envvar="MARKET_DATABASE_URL", help="PostgreSQL URL of the market's database.")]


@app.command()
def migrate(database_url: Url) -> None:
    """Bring the market's database to the newest schema."""
    from market.db import upgrade

    upgrade(database_url)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the API until SIGINT or SIGTERM. Settlement needs `multitude market settle` beside it."""
    import uvicorn

    uvicorn.run("market.app:create_app", factory=True, host=host, port=port, timeout_graceful_shutdown=2)


@app.command()
def settle(
    schedule: Annotated[Path, typer.Option(help="File in which the scheduler keeps its place.")] = Path("celerybeat"),
    processes: Annotated[int, typer.Option(min=1, help="Processes of the Celery worker.")] = 2,
) -> None:
    """Run the Celery worker with its scheduler: matching, leases, epochs, chain, settlement."""
    from market.celery import app as celery

    celery.worker_main(["worker", "-B", "--schedule", str(schedule), "--concurrency", str(processes)])
