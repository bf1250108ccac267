"""Sign-in with Ethereum (EIP-4361). A market writes the text, so it is read before it is signed."""

import re
from urllib.parse import urlsplit

from multitude.errors import ApiHostile

TEXT_MOST = 2_000
_FIRST = re.compile(r"\A(\S+) wants you to sign in with your Ethereum account:\n(0x[0-9a-fA-F]{40})\n")
_FIELD = re.compile(r"^(URI|Version|Chain ID|Nonce|Issued At|Expiration Time): (.*)$", re.MULTILINE)


def check_text(message: str, url: str, address: str, chain_id: int) -> None:
    """ApiHostile unless the text signs this address in at this market, on this chain, and does nothing else."""
    if len(message) > TEXT_MOST:
        raise ApiHostile("the text to sign is too long")
    market = urlsplit(url)
    first = _FIRST.match(message)
    if first is None or "\r" in message:
        raise ApiHostile("the text to sign is no sign-in")
    if first[1].rpartition("://")[2] != market.netloc:
        raise ApiHostile(f"the text signs in at {first[1]}, not at {market.netloc}")
    if first[2].lower() != address.lower():
        raise ApiHostile(f"the text signs {first[2]} in, not {address}")
    pairs = _FIELD.findall(message)
    fields = dict(pairs)
    if len(fields) != len(pairs) or "\nResources:" in message:
        raise ApiHostile("the text to sign says more than a sign-in needs")
    found = urlsplit(fields.get("URI", ""))
    if (found.scheme, found.netloc) != (market.scheme, market.netloc):
        raise ApiHostile(f"the text is for {fields.get('URI')!r}, not for {url}")
    if fields.get("Chain ID") != str(chain_id) or fields.get("Version") != "1" or not fields.get("Nonce"):
        raise ApiHostile("the text is for another chain or version")
