"""Migrations of the market, by Alembic."""
