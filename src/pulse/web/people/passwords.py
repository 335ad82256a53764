"""How a password is kept, and whether one is right: argon2id, off the loop, one at a time."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from pulse.refusals import Refusal

if TYPE_CHECKING:
    from pulse.web.people.users import User

LEAST: Final = 12
"""Characters that a password must have."""
MOST: Final = 1_000
WAITING: Final = 20
"""Passwords that may wait to be looked at; who comes then is told to come again."""


def hasher() -> PasswordHasher:
    """What makes of a password what is kept of it: RFC 9106, 64 MiB, three times over."""
    return PasswordHasher(time_cost=3, memory_cost=64 << 10, parallelism=4, type=Type.ID)


def hashed(password: str) -> str:
    """What is kept of a password. It takes some tenths of a second."""
    return hasher().hash(_plain(password))


def mistake_in(password: str) -> str | None:
    """What keeps a password from being one, for people; None where nothing does.

    >>> mistake_in("a long sentence"), mistake_in("short")
    (None, 'a password has at least 12 characters: take some words')
    """
    if len(password) < LEAST:
        return f"a password has at least {LEAST} characters: take some words"
    if len(password) > MOST:
        return f"a password has at most {MOST:,} characters"
    if not password.isprintable():
        return "a password has no control characters"
    return None


def _plain(password: str) -> bytes:
    # Keyboards of different systems make one letter of different characters.
    return unicodedata.normalize("NFKC", password).encode()


class Passwords:
    """Tells whether passwords are right, each within the same time, whoever it is of.

    It looks at one at a time, which needs 64 MiB; so many tries cost a core, and no more.
    """

    def __init__(self) -> None:
        self._hasher = hasher()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pulse-passwords")
        self._waiting = 0
        self._nobodys = ""

    async def is_right(self, user: User | None, password: str) -> bool:
        """Whether it is that user's; False where there is none. Raises `Refusal` (503)."""
        if self._waiting >= WAITING:
            raise Refusal(
                503, "too_many_passwords", "too many sign in at once; try again", retry_after_s=2
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._look, user, password
            )
        finally:
            self._waiting -= 1

    async def anew(self, user: User, password: str) -> str | None:
        """What is to be kept of a right password; None where it is kept so already."""
        if not self._hasher.check_needs_rehash(user.password):
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._hasher.hash, _plain(password))

    def _look(self, user: User | None, password: str) -> bool:
        if not self._nobodys:  # whoever comes first waits for it, so it tells nothing
            self._nobodys = self._hasher.hash(secrets.token_bytes(16))
        kept = self._nobodys if user is None else user.password
        try:
            self._hasher.verify(kept, _plain(password))
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return user is not None
