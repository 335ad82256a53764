"""The users that there are, by the records of their topic."""

from __future__ import annotations

import msgspec
import pytest

from pulse.web.people.users import (
    User,
    UserRing,
    kept,
    kept_anew,
    new_user,
    removed,
    role_of,
    with_password,
)
from pulse.web.tokens import Role, Token, TokenRing


@pytest.fixture
def kim() -> User:
    return new_user("kim", Role.member, "Kim Larsen", "$argon2id$one")


def take(ring: UserRing, *records: object) -> None:
    for each in records:
        ring.take(each.key or b"", each.value)  # type: ignore[attr-defined]


def test_a_user_is_known_until_it_is_removed(kim: User) -> None:
    ring = UserRing()
    take(ring, kept("users", kim))
    assert ring.get("kim") == kim
    assert ring.of_era(kim.era) == kim
    assert (len(ring), list(ring)) == (1, [kim])

    take(ring, *removed("users", "kim"))
    assert (ring.get("kim"), ring.of_era(kim.era), len(ring)) == (None, None, 0)


def test_another_password_is_another_era_and_another_role_is_not(kim: User) -> None:
    ring = UserRing()
    take(ring, kept("users", kim))
    take(ring, kept("users", msgspec.structs.replace(kim, role=Role.admin)))
    found = ring.of_era(kim.era)
    assert found is not None
    assert found.role is Role.admin
    other = with_password(kim, "$argon2id$two")
    take(ring, kept("users", other))
    assert ring.of_era(kim.era) is None
    assert ring.of_era(other.era) == other
    assert new_user("kim", Role.member, "", "x").era != new_user("kim", Role.member, "", "x").era


def test_a_role_that_is_given_while_the_password_changes_brings_no_old_one_back(kim: User) -> None:
    other = with_password(kim, "$argon2id$two")
    for records in (
        (kept("users", other), role_of("users", kim, Role.admin)),
        (role_of("users", kim, Role.admin), kept("users", other)),
    ):
        ring = UserRing()
        take(ring, kept("users", kim), *records)
        now = msgspec.structs.replace(other, role=Role.admin)
        assert (ring.get("kim"), ring.of_era(other.era), list(ring)) == (now, now, [now])
        assert ring.of_era(kim.era) is None


def test_a_role_is_nobodys_who_is_called_so_later(kim: User) -> None:
    ring, later = UserRing(), msgspec.structs.replace(kim, made_at="2026-03-02T12:00:00Z")
    take(ring, kept("users", kim), *removed("users", "kim"))
    take(ring, role_of("users", kim, Role.admin), kept("users", later))
    assert ring.get("kim") == later
    take(ring, kept("users", kim), role_of("users", kim, Role.admin), *removed("users", "kim"))
    take(ring, kept("users", kim))
    assert ring.get("kim") == kim


def test_what_is_kept_anew_holds_for_the_password_that_it_was_made_of(kim: User) -> None:
    ring, other = UserRing(), with_password(kim, "$argon2id$two")
    anew = kept_anew("users", kim, "$argon2id$better")
    take(ring, kept("users", kim), anew)
    assert ring.get("kim") == msgspec.structs.replace(kim, password="$argon2id$better")
    # It comes after the new password, of which whoever wrote it had not heard.
    take(ring, kept("users", other), anew)
    assert ring.get("kim") == other
    take(ring, *removed("users", "kim"), anew)
    assert ring.get("kim") is None


def test_records_that_are_none_are_passed_over(kim: User) -> None:
    ring = UserRing()
    take(ring, kept("users", kim))
    for key, value in (
        (b"user/kim", b"{"),
        (b"user/\xff", b"{}"),
        (b"rehash/kim", b"[]"),
        (b"kim", b"{}"),
        (b"kim", None),
        (b"", None),
    ):
        ring.take(key, value)
    assert ring.get("kim") == kim


def test_who_was_a_responder_is_a_member() -> None:
    ring, said = TokenRing(), b'"begins_with":"pt_abc","made_at":"2026-01-01T00:00:00Z"}'
    ring.take(b"hash", b'{"name":"kim","role":"responder",' + said)
    ring.take(b"other", b'{"name":"kim","role":"owner",' + said)

    assert [each for _, each in ring] == [
        Token("kim", Role.member, "pt_abc", "2026-01-01T00:00:00Z")
    ]
