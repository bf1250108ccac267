"""Quotes: a sample of the inputs is run before money moves."""
