"""What every party and the contracts agree on bit for bit. Pure: no clock, no network, no files, no environment.

`docs/protocol.md` is the agreement; the section that a module implements is named in its docstring.
"""
