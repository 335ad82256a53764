"""A password is right or wrong within the same time, and not too many at once."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import pytest

from pulse.refusals import Refusal
from pulse.web.people.passwords import WAITING, Passwords, hashed, mistake_in
from pulse.web.people.users import User, new_user
from pulse.web.tokens import Role

PASSWORD = "a horse and a staple"


@pytest.fixture(scope="module")
def kim() -> User:
    return new_user("kim", Role.member, "", hashed(PASSWORD))


@pytest.mark.parametrize("said", ["", "x" * 11, "x" * 1_001, "twelve\tchars", "twelve\ncharacters"])
def test_what_is_no_password(said: str) -> None:
    assert mistake_in(said)


def test_it_is_kept_with_a_salt_and_not_as_it_is() -> None:
    one, other = hashed(PASSWORD), hashed(PASSWORD)

    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert one != other
    assert "horse" not in one


async def test_right_and_wrong(kim: User) -> None:
    passwords = Passwords()
    assert await passwords.is_right(kim, PASSWORD)
    assert await passwords.anew(kim, PASSWORD) is None
    for user, said in ((kim, "a horse and a stapler"), (kim, ""), (None, PASSWORD)):
        assert not await passwords.is_right(user, said)
    for kept in ("", "$argon2id$nonsense", "plain"):
        odd = User("kim", Role.member, kept, "era", "")
        assert not await passwords.is_right(odd, kept)
    assert not await passwords.is_right(kim, "\ud800")  # which is no text


async def test_of_nobody_it_takes_as_long(kim: User) -> None:
    passwords = Passwords()
    took: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for is_known in took:
            began = time.process_time()
            await passwords.is_right(kim if is_known else None, "a wrong password")
            took[is_known].append(time.process_time() - began)

    assert 0.5 < median(took[True]) / median(took[False]) < 2


async def test_too_many_at_once_come_again_and_the_loop_goes_on(kim: User) -> None:
    passwords = Passwords()
    tries = [asyncio.create_task(passwords.is_right(kim, "wrong")) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await passwords.is_right(kim, PASSWORD)
    assert (refused.value.status, refused.value.reason) == (503, "too_many_passwords")
    assert not any(await asyncio.gather(*tries))
    assert await passwords.is_right(kim, PASSWORD)
