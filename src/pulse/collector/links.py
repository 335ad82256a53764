"""Which account a user belongs to, as product apps have said it. Kept in a compacted topic.

Every collector follows the topic: what one has learnt all know a moment later, and after a restart.
It also says, by a hash, who was forgotten: links of theirs are written no more.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec
from xxhash import xxh3_128_hexdigest

from pulse.collector.privacy import PLAIN, Privacy
from pulse.model.fields import is_plain_text

MOST = 1_000_000

MOVED_AT_ONCE = 1_000
"""Links written under hashes with one request, after hashing was turned on."""

_HASHED = "hashed"
_FORGOTTEN = b"forgotten/"


def forgotten_key(account: str | None, user: str | None) -> bytes:
    """The key of a record that says who is forgotten: an account, a user of it, or of all.

    The user is the one that is stored, so a hash where user ids are hashed.
    """
    return _FORGOTTEN + xxh3_128_hexdigest(msgspec.json.encode((account, user))).encode()


class Link(NamedTuple):
    """A user of a source belongs to an account; to none any more where it is None."""

    source: str
    user: str
    account: str | None
    is_hashed: bool = False

    @property
    def key(self) -> bytes:
        """Of its record in the topic."""
        who = (self.source, _HASHED, self.user) if self.is_hashed else (self.source, self.user)
        return msgspec.json.encode(who)

    @classmethod
    def of(cls, key: bytes, value: bytes | None) -> Link | None:
        """The link that a record of the topic is, None if it is not ours.

        >>> link = Link("web", "ada", "acme")
        >>> Link.of(link.key, b"acme") == link
        True
        """
        try:
            source, *how, user = msgspec.json.decode(key, type=list[str])
        except (msgspec.DecodeError, ValueError):
            return None
        account = None if value is None else value.decode(errors="replace")
        return cls(source, user, account, bool(how)) if how in ([], [_HASHED]) else None


class Links:
    """User → account, by source; those that were asked for longest ago are forgotten first.

    Where user ids are hashed, users are known by their hashes here too, and what the topic still
    has by plain ids is moved.

    >>> links = Links()
    >>> links.learn("web", "ada", "acme")
    >>> links.account_of("web", "ada"), links.account_of("mobile", "ada")
    ('acme', None)
    >>> links.learn("web", "ada", "acme")
    >>> links.take_news()
    [Link(source='web', user='ada', account='acme', is_hashed=False)]
    >>> links.take_news()
    []
    """

    def __init__(self, privacy: Privacy = PLAIN, most: int = MOST) -> None:
        self.privacy = privacy
        self._most = most
        self._accounts: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._news: list[Link] = []
        self._plain: dict[tuple[str, str], None] = {}
        self._forgotten: set[bytes] = set()

    def learn(self, source: str, user: str, account: str) -> None:
        """The user belongs to this account from now on; what is no id is passed over.

        If one of them was forgotten that is known here alone: the workers drop what comes of it.
        """
        if not (is_plain_text(user) and is_plain_text(account)):
            return
        linked = self.privacy.linked(source, user)
        if self._accounts.get((source, linked)) != account and not self._is_gone(account, user):
            self._news.append(Link(source, linked, account, self.privacy.hashes))
        self._keep(source, linked, account)

    def inherit(self, source: str, user: str, former: str) -> None:
        """The user was known as `former` so far: it is the same account's, unless it has one.

        >>> links = Links()
        >>> links.learn("web", "anonymous-1", "acme")
        >>> links.inherit("web", "ada", "anonymous-1")
        >>> links.account_of("web", "ada")
        'acme'
        """
        account = self.account_of(source, former)
        if account is not None and self.account_of(source, user) is None:
            self.learn(source, user, account)

    def account_of(self, source: str, user: str) -> str | None:
        """The user's account, None if nobody has said."""
        user = self.privacy.linked(source, user)
        account = self._accounts.get((source, user))
        if account is not None:
            self._accounts.move_to_end((source, user))
        return account

    def take_news(self) -> list[Link]:
        """What was learnt and is not known to be in the topic."""
        news, self._news = self._news, []
        for source, user in list(self._plain)[:MOVED_AT_ONCE]:
            del self._plain[source, user]
            hashed = self.privacy.linked(source, user)
            account = self._accounts.get((source, hashed))
            if account is not None:
                news.append(Link(source, hashed, account, is_hashed=True))
            news.append(Link(source, user, None))
        return news

    def put_back(self, news: list[Link]) -> None:
        """It could not be written."""
        self._news = news + self._news

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the topic: a link, or that it is none any more, or who is forgotten."""
        if key.startswith(_FORGOTTEN):
            self._forgotten.add(key)
            return
        link = Link.of(key, value)
        if link is None:
            return
        source, user, account, is_hashed = link
        if self.privacy.hashes and not is_hashed:
            self._take_plain(source, user, account)
        elif is_hashed and not self.privacy.hashes:
            return  # of a collector that hashes
        elif account is None:
            self._accounts.pop((source, user), None)
        else:
            self._keep(source, user, account)

    def __len__(self) -> int:
        return len(self._accounts)

    def _is_gone(self, account: str, user: str) -> bool:
        if not self._forgotten:
            return False
        stored = self.privacy.user(account, user)
        of = ((account, None), (account, stored), (None, stored))
        return any(forgotten_key(*each) in self._forgotten for each in of)

    def _take_plain(self, source: str, user: str, account: str | None) -> None:
        """What was written before user ids were hashed holds unless something newer is known."""
        if account is None:
            self._plain.pop((source, user), None)
            return
        self._plain[source, user] = None
        hashed = self.privacy.linked(source, user)
        if (source, hashed) not in self._accounts:
            self._keep(source, hashed, account)

    def _keep(self, source: str, user: str, account: str) -> None:
        self._accounts[source, user] = account
        self._accounts.move_to_end((source, user))
        if len(self._accounts) > self._most:
            self._accounts.popitem(last=False)
