"""Alembic's entry: one online run in one transaction."""

from typing import Any

from alembic import context
from sqlalchemy import create_engine, pool

from market.db import Wei
from market.models import metadata


def render_item(kind: str, item: Any, _: Any) -> Any:
    """Amounts are written as the plain type that they are in SQL."""
    return "sa.Numeric(39, 0)" if kind == "type" and isinstance(item, Wei) else False


engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, render_item=render_item)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
