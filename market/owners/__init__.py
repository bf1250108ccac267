"""Owners: what this market knows of all the devices of an owner. Anybody may read it, as anybody may read the chain."""
