"""Offers: what devices ask, and which of them are there."""
