"""The figures of the design: `python -m deploy.bench [gas | rewriting | overhead | sandbox]`."""
