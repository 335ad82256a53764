"""What never reaches Kafka: who a user is, and the properties that are denied.

Everything that is written goes through here, whichever client it came from: lines and dead letters
just before they are written (`Service.take`), links where they are learnt (`Links`).
"""

from __future__ import annotations

import hmac
import re
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.config.secret import SecretError
from pulse.model.usage import AccountProfile
from pulse.packs import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.collector.sink import Letter
    from pulse.config import Collector

KEY_MIN: Final = 16
"""Characters a key must have: a short one can be guessed, and with it every user."""

HASH_BYTES: Final = 16

_OWN: Final = frozenset({"account_id", "event", "id", "source", "ts", "type"})
"""What a line cannot be without; no property is called so."""

_PROFILE: Final = frozenset(AccountProfile.model_fields)

_USERS: Final = frozenset(
    {
        "anondistinctid",
        "anonymousid",
        "deviceid",
        "distinctid",
        "previousid",
        "userid",
        "username",
        "useruuid",
    }
)
"""Names that stand for a user's id, in small letters without what is between them."""

_PEOPLE: Final = _USERS | {
    "advertisingid",
    "agent",
    "assignee",
    "assigneeid",
    "author",
    "comment",
    "creator",
    "customeremail",
    "displayname",
    "email",
    "emailaddress",
    "firstname",
    "fullname",
    "ip",
    "lastname",
    "phone",
    "reporter",
    "requester",
    "requesterid",
    "set",
    "setonce",
    "submitter",
    "submitterid",
    "traits",
    "user",
}
"""Names that besides tell of a person in what clients and services send."""

_BETWEEN: Final = re.compile(r"[^a-z0-9]+")


class Privacy:
    """What is hidden: user ids where there is a `key`, and properties whose names match `deny`.

    A user's hash is made with the account, so that nobody without the key can tell whether users
    of two accounts are the same person.

    >>> privacy = Privacy("a key of enough letters", ["email"])
    >>> privacy.user("acme", "ada") == privacy.user("acme", "ada") != privacy.user("globex", "ada")
    True
    >>> said = b'{"id":"1","account_id":"acme","properties":{"email":"ada@acme.com","n":1}}'
    >>> Privacy(deny=["email"]).line(Line("acme", said)).data
    b'{"id":"1","account_id":"acme","properties":{"n":1}}'
    """

    def __init__(self, key: str | None = None, deny: Sequence[str] = ()) -> None:
        self._key = None if key is None else key.encode()
        self._denied = _matching(deny, anywhere=True)
        # `name` is a property; the profile's own name is meant by `profile.name` alone.
        self._denied_of_profile = _matching((each for each in deny if "." in each), anywhere=False)

    @property
    def hashes(self) -> bool:
        """Whether user ids are stored as hashes."""
        return self._key is not None

    def user(self, account: str, user: str) -> str:
        """The user of an account as it is stored."""
        return self._hash("user", account, user)

    def linked(self, source: str, user: str) -> str:
        """The user of a source as it is stored among the links, where no account is known yet."""
        return self._hash("link", source, user)

    def lines(self, lines: list[Line]) -> list[Line]:
        """Lines as they may be stored."""
        if self._key is None and self._denied is None:
            return lines
        return [self.line(each) for each in lines]

    def line(self, line: Line) -> Line:
        """A line as it may be stored."""
        if self._key is None and self._denied is None:
            return line
        said = msgspec.json.decode(line.data)
        account, user = line.account_id, said.get("user_id")
        users = {user} if self.hashes and isinstance(user, str) else set()
        found: dict[str, Any] = {}
        for name, value in said.items():
            if name in _OWN:
                found[name] = value
            elif name == "user_id":
                found[name] = self.user(account, user) if users else value
            elif name == "profile" and isinstance(value, dict):
                found[name] = self._profile(value, users)
            elif not self._is_hidden(name, value, _USERS, users):
                found[name] = self._without(value, name, _USERS, users)
        if self.hashes:
            # Clients make ids of what they know, and so is one made where a client sends none.
            found["id"] = self._hash("id", account, said["id"])
        return Line(account, msgspec.json.encode(found))

    def letter(self, letter: Letter) -> Letter:
        """A dead letter as it may be stored; where names say nothing, nothing can be kept."""
        if self._key is None and self._denied is None:
            return letter
        said = msgspec.json.decode(letter.data)
        if not isinstance(said, dict):
            return letter._replace(data=b"null")
        people, users = (_PEOPLE, set(_users_in(said))) if self.hashes else (frozenset(), set())
        return letter._replace(data=msgspec.json.encode(self._without(said, "", people, users)))

    def _profile(self, profile: dict[str, Any], users: set[str]) -> dict[str, Any]:
        denied = self._denied_of_profile
        found = {}
        for name, value in profile.items():
            path = f"profile.{name}"
            if name in _PROFILE:
                if denied is None or not denied.match(path):
                    found[name] = value
            elif not self._is_hidden(path, value, _USERS, users):
                found[name] = self._without(value, path, _USERS, users)
        return found

    def _without(self, said: Any, path: str, people: frozenset[str], users: set[str]) -> Any:
        """What is said without what is hidden, however deep."""
        if isinstance(said, list):
            return [
                self._without(each, path, people, users)
                for each in said
                if not (isinstance(each, str) and each in users)
            ]
        if not isinstance(said, dict):
            return said
        found = {}
        for name, value in said.items():
            inner = f"{path}.{name}" if path else name
            if name not in users and not self._is_hidden(inner, value, people, users):
                found[name] = self._without(value, inner, people, users)
        return found

    def _is_hidden(self, path: str, value: Any, people: frozenset[str], users: set[str]) -> bool:
        if self._denied is not None and self._denied.match(path):
            return True
        if self._key is None:
            return False
        is_user = isinstance(value, str) and value in users
        return is_user or _plain(path.rpartition(".")[2]) in people

    def _hash(self, *said: str) -> str:
        """HMAC-SHA256, shortened to 128 bits, in hexadecimal; the last as it is without a key."""
        if self._key is None:
            return said[-1]
        return hmac.digest(self._key, msgspec.json.encode(said), "sha256")[:HASH_BYTES].hex()


def privacy_of(config: Collector) -> Privacy:
    """What a configuration hides. Raises `SecretError` where the key is missing or too short."""
    key = config.user_key() if config.user_ids == "hashed" else None
    if key is not None and len(key.reveal()) < KEY_MIN:
        raise SecretError(
            f"the {key.origin} has fewer than {KEY_MIN} characters (collector.user_key names it)",
            hint="make a key with `openssl rand -hex 32`",
        )
    return Privacy(None if key is None else key.reveal(), config.deny_properties)


def _matching(patterns: Iterable[str], *, anywhere: bool) -> re.Pattern[str] | None:
    """What matches dotted names, or with `anywhere` their ends too; None without a pattern.

    >>> found = _matching(["email", "address.*"], anywhere=True)
    >>> [bool(found.match(each)) for each in ("properties.Email", "address.city", "emails")]
    [True, True, False]
    """
    found = "|".join(translate(each) for each in patterns)
    before = r"(?:.*\.)?" if anywhere else ""
    return re.compile(f"{before}(?:{found})", re.IGNORECASE | re.DOTALL) if found else None


def _users_in(said: Any) -> Iterable[str]:
    """The ids of users that stand where their names say so."""
    if isinstance(said, list):
        for each in said:
            yield from _users_in(each)
    elif isinstance(said, dict):
        for name, value in said.items():
            if isinstance(value, str) and value and _plain(name) in _USERS:
                yield value
            else:
                yield from _users_in(value)


def _plain(name: str) -> str:
    """A name however it is written.

    >>> _plain("userId") == _plain("user_id") == _plain("$user-id")
    True
    """
    return _BETWEEN.sub("", name.lower())


PLAIN: Final = Privacy()
"""Nothing is hidden."""
