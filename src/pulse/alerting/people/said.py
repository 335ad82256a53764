"""The ids of what people say, by which what is said twice counts once."""

from __future__ import annotations

import hashlib
import secrets


def said_id(kind: str, author: str, key: str | None = None) -> str:
    """An id that nobody has; with a key the same one whenever that author says that key.

    >>> said_id("si", "kim", "a"), said_id("no", "kim", "a")
    ('si_87956810aed003d2', 'no_87956810aed003d2')
    >>> said_id("si", "lee", "a") == said_id("si", "kim", "a"), said_id("si", "kim")[:3]
    (False, 'si_')
    """
    if key is None:
        return f"{kind}_{secrets.token_hex(8)}"
    digest = hashlib.sha256(f"{author}\0{key}".encode(errors="surrogatepass")).hexdigest()
    return f"{kind}_{digest[:16]}"
