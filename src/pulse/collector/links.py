"""Which account a user belongs to, as `group` calls have said it."""

from __future__ import annotations

from collections import OrderedDict

MOST = 1_000_000


class Links:
    """User → account, by source; those that were asked for longest ago are forgotten first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._accounts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def learn(self, source: str, user: str, account: str) -> None:
        """The user belongs to this account from now on."""
        self._accounts[source, user] = account
        self._accounts.move_to_end((source, user))
        if len(self._accounts) > self._most:
            self._accounts.popitem(last=False)

    def account_of(self, source: str, user: str) -> str | None:
        """The user's account, None if nobody has said."""
        account = self._accounts.get((source, user))
        if account is not None:
            self._accounts.move_to_end((source, user))
        return account
