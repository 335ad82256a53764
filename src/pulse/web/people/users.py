"""People who sign in with a name and a password, kept in a compacted topic."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from pulse.following import Follower
from pulse.model.fields import is_plain_text
from pulse.model.time import format_ms
from pulse.producer import Outgoing
from pulse.web.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger("pulse.web")

_USER: Final = "user/"
_REHASH: Final = "rehash/"
_ROLE: Final = "role/"
LONGEST_NAME: Final = 100


class User(msgspec.Struct, frozen=True):
    """What is known of somebody."""

    name: str
    """What they sign in with, and the author of what they say."""
    role: Role
    password: str
    """What argon2 makes of it."""
    era: str
    """Another one with each password: sessions of a former one end."""
    made_at: str
    full_name: str = ""


class _Rehash(msgspec.Struct, frozen=True):
    """The same password, kept better: it holds only for the era that it was made of."""

    era: str
    password: str


class _Role(msgspec.Struct, frozen=True):
    """Another role than the one that they were added with; for that user, and no later namesake."""

    made_at: str
    role: Role


class UserRing:
    """The users of now.

    A password that is kept anew is a record of its own, beside the user: whoever signs in while the
    password is changed cannot bring the old one back. So is another role: whoever gives it does not
    write the password.
    """

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._rehashes: dict[str, _Rehash] = {}
        self._roles: dict[str, _Role] = {}
        self._of_era: dict[str, str] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic: a user was made, changed or removed."""
        try:
            kind, slash, name = key.decode().partition("/")
            if kind + slash == _USER:
                self._set(name, None if value is None else _decode_user(value))
            elif kind + slash == _ROLE and value is not None:
                self._roles[name] = _decode_role(value)
            elif kind + slash == _REHASH and value is not None:
                self._rehashes[name] = _decode_rehash(value)
            elif kind + slash in (_ROLE, _REHASH):
                (self._roles if kind + slash == _ROLE else self._rehashes).pop(name, None)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("a record among the users is none", key=key[:80], error=str(error))

    def _set(self, name: str, user: User | None) -> None:
        before = self._users.pop(name, None)
        if before is not None:
            self._of_era.pop(before.era, None)
        if user is not None:
            self._users[name] = user
            self._of_era[user.era] = name

    def get(self, name: str) -> User | None:
        """The user of a name; None where there is none."""
        user, rehash = self._users.get(name), self._rehashes.get(name)
        if user is None:
            return None
        user = self._as_of_now(user)
        if rehash is None or rehash.era != user.era:
            return user
        return msgspec.structs.replace(user, password=rehash.password)

    def of_era(self, era: str) -> User | None:
        """Whose password is of that era; None where nobody's is, or not any more."""
        name = self._of_era.get(era)
        return None if name is None else self._as_of_now(self._users[name])

    def _as_of_now(self, user: User) -> User:
        said = self._roles.get(user.name)
        if said is None or said.made_at != user.made_at:
            return user
        return msgspec.structs.replace(user, role=said.role)

    def __iter__(self) -> Iterator[User]:
        users = map(self._as_of_now, self._users.values())
        return iter(sorted(users, key=lambda each: each.name))

    def __len__(self) -> int:
        return len(self._users)


async def read(settings: dict[str, Any], topic: str) -> UserRing:
    """All users of now. Raises as `Follower.start` does."""
    ring = UserRing()
    follower = Follower(settings, topic, ring.take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    return ring


def is_name(name: str) -> bool:
    """Whether somebody can be called so.

    >>> is_name("kim"), is_name(" kim"), is_name("a/b"), is_name("x" * 101)
    (True, False, True, False)
    """
    return is_plain_text(name) and len(name) <= LONGEST_NAME and name == name.strip()


def new_user(name: str, role: Role, full_name: str, password: str) -> User:
    """Somebody new; `password` is what argon2 made of it."""
    made_at = format_ms(time.time_ns() // 1_000_000)
    return User(name, role, password, _era(), made_at, full_name)


def with_password(user: User, password: str) -> User:
    """The same, with another password, as argon2 made it."""
    return msgspec.structs.replace(user, password=password, era=_era())


def kept(topic: str, user: User) -> Outgoing:
    """The record that keeps a user."""
    return Outgoing(topic, None, f"{_USER}{user.name}".encode(), _encode(user))


def kept_anew(topic: str, user: User, password: str) -> Outgoing:
    """The record that keeps the same password as argon2 makes it now."""
    said = _encode(_Rehash(user.era, password))
    return Outgoing(topic, None, f"{_REHASH}{user.name}".encode(), said)


def role_of(topic: str, user: User, role: Role) -> Outgoing:
    """The record that gives a user another role."""
    said = _encode(_Role(user.made_at, role))
    return Outgoing(topic, None, f"{_ROLE}{user.name}".encode(), said)


def removed(topic: str, name: str) -> list[Outgoing]:
    """The records that remove one."""
    return [
        Outgoing(topic, None, f"{each}{name}".encode(), None) for each in (_USER, _REHASH, _ROLE)
    ]


def _era() -> str:
    return secrets.token_hex(16)


_encode: Final = msgspec.json.Encoder().encode
_decode_user: Final = msgspec.json.Decoder(User).decode
_decode_rehash: Final = msgspec.json.Decoder(_Rehash).decode
_decode_role: Final = msgspec.json.Decoder(_Role).decode
