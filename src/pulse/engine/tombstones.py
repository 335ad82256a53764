"""What is left of those who were forgotten, and where a renamed account went."""

from __future__ import annotations

from typing import Final, NamedTuple

from xxhash import xxh3_128_hexdigest

OF_ACCOUNT: Final = "\0a"
OF_USER: Final = "\0u"
"""What the key of a tombstone begins with, as no account's id can."""


class Tombstone(NamedTuple):
    """What is left of an account or a user that was forgotten, or of an account that was renamed,
    besides a hash.

    It holds for what stands behind `offset` in the log.
    """

    offset: int
    at_ms: int
    to: str = ""
    """The account that goes on with a renamed one; empty where nothing goes on."""


def tombstone_key(account_id: str, user: str | None) -> str:
    """A hash of who is forgotten: an account, or with `user` that of the account, of all if empty.

    Whoever has a name can tell whether it was forgotten; nobody gets a name out of it.
    """
    if user is None:
        return OF_ACCOUNT + xxh3_128_hexdigest(account_id.encode())
    return OF_USER + xxh3_128_hexdigest(f"{len(account_id)} {account_id}{user}".encode())
