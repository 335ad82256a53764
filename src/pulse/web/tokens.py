"""Tokens of people and programs, and what each may do. Kept as hashes, in a compacted topic."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Final

import msgspec

from pulse.keyring import Ring, new_key
from pulse.model.time import format_ms

PREFIX: Final = "pt_"
"""Tokens begin with it, so that one is known where it should not be."""


class Role(StrEnum):
    """What somebody may do, or a token is good for; each is good for what those before it are."""

    viewer = "viewer"
    """Looks at everything."""
    member = "member"
    """Acknowledges, snoozes and closes alerts; makes silences, and ends its own."""
    admin = "admin"
    """Ends the silences of others, makes those that match every alert, reads the audit log."""

    @classmethod
    def _missing_(cls, value: object) -> Role | None:
        """Records and scripts of before say `responder`.

        >>> Role("responder")
        <Role.member: 'member'>
        """
        return cls.member if value == "responder" else None

    def may(self, needed: Role) -> bool:
        """Whether it is good for what needs that role.

        >>> Role.member.may(Role.viewer), Role.member.may(Role.admin)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(needed)


class Token(msgspec.Struct, frozen=True):
    """What is known of a token, which itself nobody keeps."""

    name: str
    """Whose it is: the author of what is said with it."""
    role: Role
    begins_with: str
    """Enough of it for a person to tell it from others."""
    made_at: str


class TokenRing(Ring[Token]):
    """The tokens that hold now."""

    def __init__(self) -> None:
        super().__init__(Token)


def make(name: str, role: Role) -> tuple[str, Token]:
    """A new token, and what is kept of it."""
    token, begins_with = new_key(PREFIX)
    return token, Token(name, role, begins_with, format_ms(time.time_ns() // 1_000_000))
