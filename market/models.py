"""Every table of the market, for Alembic and for tests."""

import market.blobs.uploads
import market.blobs.uses
import market.jobs.models
import market.leases.models
import market.offers.models
import market.people.models
import market.programs.models
import market.sessions.models
import market.settlement.models
import market.webhooks.models  # noqa: F401
from chain import tables
from market.db import Base

metadata = Base.metadata
if "outbox" not in metadata.tables:
    tables.add_to(metadata)
