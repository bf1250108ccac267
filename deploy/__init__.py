"""How Multitude is put into the world: the toolchain, the contracts' deployment and the one-command local network."""
