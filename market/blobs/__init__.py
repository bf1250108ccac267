"""Blobs: bytes named by their keccak256."""
