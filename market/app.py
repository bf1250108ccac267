"""The market's HTTP service: `multitude market serve` (`market.connections` guards its sockets)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from market import problems, settings, web
from market.blobs.routes import router as blobs
from market.context import Context, build
from market.guard import Admission, BodyLimit, RequestLog
from market.jobs.routes import router as jobs
from market.leases.routes import router as leases
from market.logs import configure_logs
from market.network.routes import router as network
from market.offers.routes import router as offers
from market.owners.routes import router as owners
from market.people.routes import router as people
from market.programs.routes import router as programs
from market.quotes.routes import router as quotes
from market.sessions.routes import router as sessions
from market.settlement.routes import router as epochs
from market.wake import Waiters
from market.webhooks.routes import router as webhooks

DESCRIPTION = """A marketplace for deterministic work: buyers post signed bids, devices pull leases, every result can be
replayed. Errors are application/problem+json with a stable `code`."""
ROUTERS = (network, programs, quotes, jobs, people, webhooks, offers, owners, sessions, leases, blobs, epochs)


def create_app(context: Context | None = None) -> FastAPI:
    """The app of one process; without a context it is built from the environment."""
    configure_logs()
    found = context or build(settings.load())
    app = describe(found)
    app.state.context = found
    app.state.waiters = Waiters(found.settings.redis_url)
    return app


def describe(context: Context | None = None) -> FastAPI:
    """The app with its routes; without a context it can only tell its OpenAPI.

    Its documentation page (/docs) is served from here: it asks no third party for anything. A path with one slash
    too many is not found: a redirect would repeat the caller's Host.
    """
    app = FastAPIOffline(
        title="Multitude market", version="1", description=DESCRIPTION, lifespan=_lifespan, redirect_slashes=False
    )
    for router in ROUTERS:
        app.include_router(router)
    problems.install(app)
    if context is not None:
        web.install(app, context.settings.public_rpc_url)
        app.add_middleware(BodyLimit, limit=context.settings.body_max_bytes, exempt="/v1/blobs/", large="/results")
        app.add_middleware(Admission, limits=lambda: context.limits)
    app.add_middleware(RequestLog)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.waiters.running():
        yield
    app.state.context.close()
