"""Deployment of the contracts: `brownie run deploy`. Nothing else but tests/contracts knows Brownie."""
