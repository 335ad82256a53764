"""Who comes with a name and a password: whose they are, and how often somebody may try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.refusals import Refusal
from pulse.web.people.passwords import MOST, Passwords
from pulse.web.people.users import LONGEST_NAME
from pulse.web.rates import Wrong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pulse.web.people.users import User, UserRing


class Logins:
    """Lets users in by their passwords.

    `on_wrong` is told of each wrong try; `keep_anew` writes what is to be kept of a password whose
    keeping has become old.
    """

    def __init__(
        self,
        users: UserRing,
        monotonic_s: Callable[[], float],
        on_wrong: Callable[[], None],
        keep_anew: Callable[[User, str], Awaitable[None]],
    ) -> None:
        self.users = users
        self._on_wrong = on_wrong
        self._keep_anew = keep_anew
        self._passwords = Passwords()
        self._wrong_from = Wrong("passwords", monotonic_s, at_once=10, one_in_s=30)
        self._wrong_for = Wrong("passwords", monotonic_s, at_once=10, one_in_s=30)

    async def user(self, where: str, name: str, password: str) -> User:
        """Whose name and password these are; they come from the address `where`.

        Raises `Refusal` (401, 429, 503), which does not tell a wrong name from a wrong password.
        """
        name = name[: LONGEST_NAME + 1]
        self._wrong_from.check(where)
        # From elsewhere one try is free, so nobody can lock out who has the right one.
        # Whatever is left of a wrong one counts: it is less than one at once.
        if self._wrong_from.count(where) > 0:
            self._wrong_for.check(name)
        tries = ((self._wrong_from, where), (self._wrong_for, name))
        for each, of in tries:  # before it is known, since others come meanwhile
            each.note(of)
        user = self.users.get(name)
        try:
            is_right = await self._passwords.is_right(user, password[: MOST + 1])
        except Refusal:
            for each, of in tries:
                each.take_back(of)
            raise
        if user is None or not is_right:
            self._on_wrong()
            raise Refusal(401, "bad_password", "the name or the password is wrong")
        for each, of in tries:
            each.take_back(of)
        if anew := await self._passwords.anew(user, password):
            await self._keep_anew(user, anew)
        return user
