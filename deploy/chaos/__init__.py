"""The kill matrix: SIGKILL of each part of a running local network in each named state, and what must hold afterwards.

`parts` what is killed and when it is back, `states` how a job's state is seen, `ground` one network with its jobs,
`trial` one cell, `verdict` what is asserted, `matrix` the order of cells, `report` the table. See docs/chaos.md.
"""
