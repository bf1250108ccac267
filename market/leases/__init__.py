"""Leases: spans given to devices for a time, and the receipts that come back."""
