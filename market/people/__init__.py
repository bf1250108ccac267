"""People: signed in with their wallets."""
