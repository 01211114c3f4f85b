"""One seed from several numbers and words."""

import hashlib


def mixed(*parts: int | str) -> int:
    """63 bits that depend on the parts alone, on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
