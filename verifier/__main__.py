"""`python -m verifier`: runs the agent."""

from verifier.cli import app

app()
