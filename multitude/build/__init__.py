"""From a C or Zig source to an admitted module: what `multitude build`, `check` and `programs` do."""
