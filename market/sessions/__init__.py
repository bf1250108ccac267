"""Devices: their binding to an owner, and their sessions."""
