"""The read model in Redis.

Keys, all under one prefix:

    account:{account_id}   string   the account's document, JSON
    zone:{zone}            zset     account ids by score; without a score at the end. Accounts that
                                    have left are in zone:churned, whatever zone they were in
    meta                   hash     as_of, written_at, config_version
    filled                 string   a random word; gone when Redis has lost everything
    changes                stream   which accounts were written or taken out last: {ids: JSON}. Its
                                    order is Redis's own, whatever the writers' clocks say
"""

from __future__ import annotations

import os
import re
import secrets
import time
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pulse.errors import PulseError
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from redis.asyncio.client import Pipeline

T = TypeVar("T")

log = structlog.get_logger("pulse.readmodel")

WORST_FIRST: Final = ("danger", "approaching", "healthy", "unknown", "churned")
"""The lists there are: the zones, and the accounts that have left and are in none of them."""

NOWHERE: Final = "0-0"
"""The place before the first write; also where the writers are of a version that says nothing."""

_SLICE: Final = 500
"""Accounts in one round trip: bounds how long Redis, and the event loop, are kept busy."""

_REMEMBERED: Final = 2_000
"""Writes that `changes` still knows of, about; each is of `_SLICE` accounts at most."""

_CONNECT_S: Final = 1.0
_ANSWER_S: Final = 3.0
_PAUSE_S: Final = 3.0
"""After a failure Redis is left alone for so long, so that no flush waits for a time-out."""


class ReadModelError(PulseError):
    """The read model cannot be read; the message says where it was looked for."""


class Written(Enum):
    """What became of a `write`."""

    DONE = "done"
    AWAY = "away"
    """Not written, or only in part: keep the accounts and write them again."""
    EMPTIED = "emptied"
    """Written; but Redis has lost what was written before: write every account once more."""


class Page(NamedTuple):
    """Some accounts, the worst first, and the cursor of those that follow (None: no more)."""

    accounts: list[dict[str, Any]]
    cursor: str | None


class Changes(NamedTuple):
    """What was written since a place in the order of writes."""

    account_ids: set[str]
    """Those that were written or taken out."""
    place: str
    """Where it goes on."""
    is_whole: bool
    """False: there may have been more, so all accounts are to be read again."""


class Summary(NamedTuple):
    """The read model as a whole. Times are RFC 3339; None before the first write."""

    zones: dict[str, int]
    """Accounts by zone; those that have left are `churned`."""
    as_of: str | None
    """The latest instant that an account was written as of."""
    written_at: str | None
    config_version: str | None

    @property
    def accounts(self) -> int:
        """The number of accounts."""
        return sum(self.zones.values())


class ReadModel:
    """Accounts in Redis at `url`, under `prefix`. One for each process and event loop.

    `write` never raises for a Redis that is away; the readers raise `ReadModelError`. Close it
    with `close`, or use it as a context manager.
    """

    def __init__(
        self,
        url: str,
        prefix: str = "pulse:",
        *,
        config_version: str | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = prefix
        self._config_version = config_version
        self._monotonic_s = monotonic_s
        self._filled: bytes | None = None
        self._leave_alone_until_s = 0.0
        self.is_up: bool | None = None
        """Whether the last write succeeded; None before the first."""
        try:
            self._where = _without_password(url)
            self._redis: Redis = Redis.from_url(
                url,
                socket_connect_timeout=_CONNECT_S,
                socket_timeout=_ANSWER_S,
                # Once more for a connection that a restart of Redis has closed.
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as error:
            raise ReadModelError(
                f"this is no address of a Redis: {error}",
                hint="write redis://host:port/0",
            ) from None

    # --- writing ------------------------------------------------------------------------------

    async def write(
        self, documents: Iterable[Mapping[str, Any]], removed: Iterable[str] = ()
    ) -> Written:
        """Write accounts (see `document`) and take out those that are gone.

        A worker writes every account of a partition once it is assigned, and those that changed
        from then on. Writing an account twice does no harm. Returns within a few seconds, at once
        while Redis is known to be away.
        """
        if self._monotonic_s() < self._leave_alone_until_s:
            return Written.AWAY
        found = self._filled
        try:
            for some in _slices(documents):
                found = await self._write(some)
            for gone in _slices(removed):
                await self._remove(gone)
        except (RedisError, OSError) as error:
            self._away(error)
            return Written.AWAY
        self._back()
        # Noted only now: where a slice fails, the next call must find it again.
        before, self._filled = self._filled, found
        # Another word than last time: everything went meanwhile, whoever noticed first.
        return Written.EMPTIED if before is not None and found != before else Written.DONE

    async def _write(self, documents: Sequence[Mapping[str, Any]]) -> bytes | None:
        """Write one slice; the word that says since when Redis has been filled."""
        by_zone: dict[str, dict[str, float]] = {zone: {} for zone in WORST_FIRST}
        texts: dict[str, bytes] = {}
        for each in {each["account_id"]: each for each in documents}.values():
            account_id, score = each["account_id"], each["score"]
            zone = "churned" if each["lifecycle"] == "churned" else each["zone"]
            by_zone[zone][account_id] = float("inf") if score is None else score
            texts[self._account_key(account_id)] = msgspec.json.encode(each)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self._prefix + "filled", secrets.token_hex(8), nx=True)
            pipe.get(self._prefix + "filled")
            pipe.mset(texts)
            everywhere = {account for accounts in by_zone.values() for account in accounts}
            for zone, accounts in by_zone.items():
                if accounts:
                    pipe.zadd(self._zone_key(zone), accounts)
                if elsewhere := everywhere.difference(accounts):
                    pipe.zrem(self._zone_key(zone), *elsewhere)
            self._write_meta(pipe, max(each["as_of"] for each in documents))
            self._tell(pipe, [each["account_id"] for each in documents])
            found: bytes | None = (await pipe.execute())[1]
        return found

    def _write_meta(self, pipe: Pipeline, as_of: str) -> None:
        meta: dict[Any, Any] = {"as_of": as_of, "written_at": format_ms(int(time.time()) * 1000)}
        if self._config_version is not None:
            meta["config_version"] = self._config_version
        pipe.hset(self._prefix + "meta", mapping=meta)

    def _tell(self, pipe: Pipeline, account_ids: Sequence[str]) -> None:
        # The last of a pipeline: who hears of an account finds what was written.
        said: dict[Any, Any] = {"ids": msgspec.json.encode(account_ids)}
        pipe.xadd(self._prefix + "changes", said, maxlen=_REMEMBERED, approximate=True)

    async def _remove(self, account_ids: Sequence[str]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            # The document last, as it is written first: `names` finds all that is anywhere.
            for zone in WORST_FIRST:
                pipe.zrem(self._zone_key(zone), *account_ids)
            pipe.delete(*(self._account_key(account_id) for account_id in account_ids))
            # Their ids are in it too. Who reads it finds that it is not whole, and reads all again.
            pipe.delete(self._prefix + "changes")
            self._tell(pipe, [])
            await pipe.execute()

    def _away(self, error: Exception) -> None:
        self._leave_alone_until_s = self._monotonic_s() + _PAUSE_S
        if self.is_up is not False:
            log.warning(
                "Redis is away: going on without it, accounts are written when it is back",
                redis=self._where,
                error=_words(error),
            )
        self.is_up = False

    def _back(self) -> None:
        if self.is_up is False:
            log.info("Redis is back", redis=self._where)
        self.is_up = True

    # --- reading ------------------------------------------------------------------------------

    async def account(self, account_id: str) -> dict[str, Any] | None:
        """One account's document; None where there is no such account."""
        text = await self._ask(self._redis.get(self._account_key(account_id)))
        return None if text is None else _read(text)

    async def accounts(
        self, zone: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Up to `limit` accounts of a zone (see `WORST_FIRST`), or of all; the lowest score first.

        A cursor is good for the next call with the same zone. Accounts that move meanwhile may be
        seen twice or not at all. Raises `ReadModelError`, also for a cursor that is none.
        """
        zones = list(WORST_FIRST) if zone is None else [zone]
        start = 0
        if cursor is not None:
            at_zone, _, rank = cursor.partition(":")
            if at_zone not in zones or not rank.isascii() or not rank.isdigit():
                raise ReadModelError(f"{cursor!r} is not a cursor of this list")
            zones, start = zones[zones.index(at_zone) :], int(rank)
        found: list[dict[str, Any]] = []
        for each in zones:
            wanted = limit - len(found)
            key = self._zone_key(each)
            ids = await self._ask(self._redis.zrange(key, start, start + wanted))
            found += await self._documents(ids[:wanted])
            if len(ids) > wanted:
                return Page(found, f"{each}:{start + wanted}")
            start = 0
        return Page(found, None)

    async def walk(self, zone: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """All accounts of a zone, or of all zones, the worst first."""
        cursor: str | None = None
        while True:
            accounts, cursor = await self.accounts(zone, _SLICE, cursor)
            for each in accounts:
                yield each
            if cursor is None:
                return

    async def names(self) -> AsyncIterator[list[str]]:
        """The ids of all accounts of which anything is there, in no order, some hundreds at once.

        One that is written or taken out meanwhile may be among them or not, or be there twice.
        Raises `ReadModelError`.
        """
        start = self._account_key("")
        pattern = re.sub(r"([\\*?\[\]])", r"\\\1", start) + "*"
        cursor = 0
        while True:
            cursor, keys = await self._ask(self._redis.scan(cursor, match=pattern, count=_SLICE))
            yield [key.decode().removeprefix(start) for key in keys]
            if not cursor:
                return

    async def texts(self, account_ids: Sequence[str]) -> list[bytes | None]:
        """The documents of some hundred accounts as JSON, in their order; None where there is none.

        Raises `ReadModelError`.
        """
        keys = [self._account_key(account_id) for account_id in account_ids]
        found: list[bytes | None] = await self._ask(self._redis.mget(keys)) if keys else []
        return found

    async def place(self) -> str:
        """Where the order of writes ends now, for `changes`. Raises `ReadModelError`."""
        newest = await self._ask(self._redis.xrevrange(self._prefix + "changes", count=1))
        return newest[0][0].decode() if newest else NOWHERE

    async def changes(self, place: str, wait_ms: int) -> Changes:
        """What was written after `place`; waits for the first so long, at most two seconds.

        Raises `ReadModelError`.
        """
        key = self._prefix + "changes"
        await self._ask(self._redis.xread({key: place}, count=1, block=min(wait_ms, 2_000)))
        found = await self._ask(self._redis.xrange(key, place, "+"))
        # Where what was read last is still there, nothing after it is gone.
        is_whole = bool(found) and found[0][0].decode() == place
        new = found[1:] if is_whole else found
        ids = {each for _, said in new for each in msgspec.json.decode(said[b"ids"])}
        return Changes(ids, new[-1][0].decode() if new else place, is_whole)

    async def summary(self) -> Summary:
        """How many accounts there are in which zone, and how fresh that is."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for zone in WORST_FIRST:
                pipe.zcard(self._zone_key(zone))
            pipe.hgetall(self._prefix + "meta")
            *sizes, meta = await self._ask(pipe.execute())
        said = {name.decode(): text.decode() for name, text in meta.items()}
        return Summary(
            dict(zip(WORST_FIRST, sizes, strict=True)),
            said.get("as_of"),
            said.get("written_at"),
            said.get("config_version"),
        )

    async def _documents(self, ids: Sequence[bytes]) -> list[dict[str, Any]]:
        if not ids:
            return []
        prefix = (self._prefix + "account:").encode()
        texts = await self._ask(self._redis.mget([prefix + account_id for account_id in ids]))
        return [_read(text) for text in texts if text is not None]

    async def _ask(self, question: Any) -> Any:
        try:
            return await question
        except (RedisError, OSError) as error:
            raise ReadModelError(
                f"cannot read the accounts from Redis at {self._where} ({_words(error)})",
                hint="start Redis, or say where it is: redis.url in the configuration, or --redis",
            ) from None

    def _account_key(self, account_id: str) -> str:
        # The id comes last, so that no id can look like another key.
        return f"{self._prefix}account:{account_id}"

    def _zone_key(self, zone: str) -> str:
        return f"{self._prefix}zone:{zone}"

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def __aenter__(self) -> ReadModel:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


def _slices(items: Iterable[T]) -> Iterator[Sequence[T]]:
    rest = iter(items)
    while some := list(islice(rest, _SLICE)):
        yield some


def _read(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


def _words(error: BaseException) -> str:
    """What went wrong, in few words: the system's, where the system said no."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    return str(error).strip().rstrip(".") or type(error).__name__
