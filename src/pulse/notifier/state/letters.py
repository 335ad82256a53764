"""The alerts themselves, as JSON: the newest in memory, the others where they were written.

What waits, waits as its brief; its JSON is a few kilobytes and is read when it is sent.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEPT_BYTES: Final = 16 << 20


class Wanted(NamedTuple):
    """One state of an alert, and where it was written: `topic/partition/offset`."""

    alert_id: str
    status: str
    origin: str


class Shelf(Protocol):
    """Where alerts were written. In tests: `pulse.testing.deliveries.MemoryShelf`."""

    async def fetch(self, wanted: Iterable[Wanted]) -> Mapping[str, bytes]:
        """Their JSON by alert id, as far as it is still there; it may be of another state.

        Waits for a Kafka that is away.
        """
        ...


class _Head(msgspec.Struct):
    id: str
    status: str


_head: Final = msgspec.json.Decoder(_Head)


class Letters:
    """Alerts' JSON by id: at most `kept_bytes` of it in memory, the newest.

    >>> letters = Letters(kept_bytes=40)
    >>> letters.put("al_1", "firing", b'{"id":"al_1","status":"firing"}')
    >>> letters.put("al_2", "firing", b'{"id":"al_2","status":"firing"}')
    >>> [letters.kept(Wanted(name, "firing", "")) is not None for name in ("al_1", "al_2")]
    [False, True]
    """

    def __init__(self, shelf: Shelf | None = None, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._shelf = shelf
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._letters: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def put(self, alert_id: str, status: str, raw: bytes) -> None:
        """Keep an alert's newest state."""
        self.drop(alert_id)
        self._letters[alert_id] = status, raw
        self._bytes += len(raw)
        while self._bytes > self._kept_bytes and len(self._letters) > 1:
            self._bytes -= len(self._letters.popitem(last=False)[1][1])

    def drop(self, alert_id: str) -> None:
        """It is not told any more."""
        if (found := self._letters.pop(alert_id, None)) is not None:
            self._bytes -= len(found[1])

    def kept(self, wanted: Wanted) -> bytes | None:
        """Its JSON, where it is in memory."""
        status, raw = self._letters.get(wanted.alert_id, ("", b""))
        return raw if status == wanted.status else None

    async def read(self, wanted: list[Wanted]) -> dict[str, bytes]:
        """Their JSON by alert id; without those that are nowhere any more."""
        found = {each.alert_id: raw for each in wanted if (raw := self.kept(each)) is not None}
        missing = [each for each in wanted if each.alert_id not in found]
        if missing and self._shelf is not None:
            fetched = await self._shelf.fetch(missing)
            for each in missing:
                raw = fetched.get(each.alert_id)
                if raw is not None and is_that(raw, each):
                    found[each.alert_id] = raw
        return found


def status_of(raw: bytes) -> str:
    """The status that an alert's JSON says. Raises `ValueError`."""
    return _head.decode(raw).status


def is_that(raw: bytes, wanted: Wanted) -> bool:
    """Whether JSON is that state of that alert."""
    try:
        said = _head.decode(raw)
    except ValueError:
        return False
    return (said.id, said.status) == (wanted.alert_id, wanted.status)
