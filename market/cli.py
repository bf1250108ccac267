"""The market's commands. Settings come from MARKET_* variables (`market/settings.py` describes each)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from market.settings import Settings

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
    proxy: Annotated[
        list[str] | None,
        typer.Option(help="Address of a reverse proxy in front: its X-Forwarded-For is believed, nobody else's."),
    ] = None,
) -> None:
    """Serve the API until SIGINT or SIGTERM. Settlement needs `multitude market settle` and `tick` beside it."""
    import uvicorn

    from market.settings import load

    settings = load()
    uvicorn.run("market.app:create_app", **server_options(settings, proxy or []), host=host, port=port)


def server_options(settings: "Settings", proxies: list[str]) -> dict[str, Any]:
    """uvicorn's options: bounded connections, heads and waits; forwarded addresses of the named proxies only."""
    from market.connections import guarded
    from market.guard import HEAD_BYTES_MAX

    connections = min(settings.connections_max, _files_allowed() // 2)
    return {
        "factory": True,
        "http": guarded(connections, min(settings.connections_caller_max * settings.rate_factor, connections)),
        "ws": "none",
        "backlog": 2048,
        "limit_concurrency": connections + 64,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": 2,
        "h11_max_incomplete_event_size": HEAD_BYTES_MAX,
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": proxies,
        "access_log": False,
        "server_header": False,
    }


def _files_allowed() -> int:
    """Open files that this process may have, after asking for as many as the system grants, up to 65,536."""
    try:
        import resource
    except ImportError:
        return 1 << 16
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


@app.command()
def settle(processes: Annotated[int, typer.Option(min=1, help="Processes of the Celery worker.")] = 2) -> None:
    """Run the Celery worker: matching, leases, epochs, chain, settlement. Nothing happens without `tick` beside it."""
    from market.celery import app as celery

    alone = ["--without-mingle", "--without-gossip"]
    celery.worker_main(["worker", "--concurrency", str(processes), "--loglevel", "INFO", *alone])


@app.command()
def tick(
    schedule: Annotated[Path, typer.Option(help="File in which the scheduler keeps its place.")] = Path("celerybeat"),
) -> None:
    """Tell the worker when to look: one process for a market, apart, for a worker does not notice its death."""
    from market.celery import app as celery

    celery.start(["beat", "--schedule", str(schedule), "--pidfile", ""])
