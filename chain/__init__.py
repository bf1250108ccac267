"""The only chain I/O: deployments, calls, events through reorgs, and the transaction outbox.

`chain.outbox`, `chain.sends`, `chain.indexer` and `chain.tables` need PostgreSQL; the rest is for everybody.
"""
