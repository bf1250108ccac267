"""The market: the reference settler. It leases tasks, accepts receipts, posts epochs and claims them."""
