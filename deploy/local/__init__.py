"""The one-command local network: chain, database and broker of one's own, supervised, all under var/."""
