"""Which account a user belongs to, as product apps have said it. Kept in a compacted topic.

Every collector follows the topic: what one has learnt all know a moment later, and after a restart.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

MOST = 1_000_000


class Link(NamedTuple):
    """A user of a source belongs to an account."""

    source: str
    user: str
    account: str

    @property
    def key(self) -> bytes:
        """Of its record in the topic."""
        return msgspec.json.encode([self.source, self.user])


class Links:
    """User → account, by source; those that were asked for longest ago are forgotten first.

    >>> links = Links()
    >>> links.learn("web", "ada", "acme")
    >>> links.account_of("web", "ada"), links.account_of("mobile", "ada")
    ('acme', None)
    >>> links.learn("web", "ada", "acme")
    >>> links.take_news()
    [Link(source='web', user='ada', account='acme')]
    >>> links.take_news()
    []
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._accounts: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._news: list[Link] = []

    def learn(self, source: str, user: str, account: str) -> None:
        """The user belongs to this account from now on."""
        if self._accounts.get((source, user)) != account:
            self._news.append(Link(source, user, account))
        self._keep(source, user, account)

    def account_of(self, source: str, user: str) -> str | None:
        """The user's account, None if nobody has said."""
        account = self._accounts.get((source, user))
        if account is not None:
            self._accounts.move_to_end((source, user))
        return account

    def take_news(self) -> list[Link]:
        """What was learnt and is not known to be in the topic."""
        news, self._news = self._news, []
        return news

    def put_back(self, news: list[Link]) -> None:
        """It could not be written."""
        self._news = news + self._news

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic: a link, or that it is none any more."""
        try:
            source, user = msgspec.json.decode(key, type=tuple[str, str])
        except msgspec.DecodeError:
            return  # not ours
        if value is None:
            self._accounts.pop((source, user), None)
        else:
            self._keep(source, user, value.decode(errors="replace"))

    def __len__(self) -> int:
        return len(self._accounts)

    def _keep(self, source: str, user: str, account: str) -> None:
        self._accounts[source, user] = account
        self._accounts.move_to_end((source, user))
        if len(self._accounts) > self._most:
            self._accounts.popitem(last=False)
