"""The network: addresses, clocks, fees, health."""
