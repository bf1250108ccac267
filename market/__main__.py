"""`python -m market`: the market's commands."""

from market.cli import app

app()
