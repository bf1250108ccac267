"""A device: pulls leases from a market, runs them, signs what it computed. Outbound only.

`state` decides (pure), `agent` acts, `journal` remembers. Nothing here imports the market.
"""
