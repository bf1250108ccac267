"""sha256-chain: SHA-256 applied n + 1 times. Input: n as 4 bytes (little-endian), then up to 1,024 bytes of seed."""
