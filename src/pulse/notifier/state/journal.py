"""The deliveries topic read back, and how what is written to it looks. No I/O.

Who leads reads the first partition to its end into a `Journal`; from then on it is the only one who
writes there, with an epoch of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.everybody.fleet import Episode
from pulse.alerting.records import envelope
from pulse.alerting.records.delivery import Beside, Delivery, Endpoint, Position
from pulse.alerting.records.envelope import Epochs, Said, unwrap, version_of, wrap

if TYPE_CHECKING:
    from pulse.notifier.state.log import Record

_encode: Final = msgspec.json.Encoder().encode
_besides: Final = msgspec.json.Decoder(Beside)
_deliveries: Final = msgspec.json.Decoder(Delivery)
_endpoints: Final = msgspec.json.Decoder(Endpoint)
_positions: Final = msgspec.json.Decoder(Position)
_episodes: Final = msgspec.json.Decoder(Episode)
_OF_PIPELINE: Final = ("alert/", "group/", "budget/", "owners")


class Journal:
    """What the first partition says, while it is read; afterwards, how to write to it.

    `read` takes every record in its order, then `begin` is called once. Alerts' JSON is not kept.

    >>> journal = Journal()
    >>> journal.read("position", wrap(3, b'{"offsets":{"0":17}}'))
    >>> journal.begin()
    []
    >>> journal.epoch, journal.offsets
    (4, {0: 17})
    >>> journal.write("owners", b"1")
    ('owners', b'{"v":2,"epoch":4,"said":1}')
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.offsets: dict[int, int] = {}
        self.is_new = True
        """Nothing of this version was written yet."""
        self.pipeline: list[Record] = []
        """What the pipeline wrote, the newest of each key."""
        self.besides: dict[str, Beside] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.failing: dict[str, Endpoint] = {}
        self.fleet: Episode | None = None
        self._latest: dict[str, Said] = {}
        self._epochs = Epochs()
        self._overwritten: set[str] = set()
        self._gone: tuple[set[str], set[str]] = set(), set()

    # -- reading -------------------------------------------------------------------------------

    def read(self, key: str, value: bytes | None) -> None:
        """Take one record; one of version 1 is passed over. Raises `ValueError`."""
        if value is None:
            self._epochs.forgets(key)
            self._latest.pop(key, None)
            return
        if version_of(value) == 1:
            return
        found = unwrap(value)
        if not self._epochs.believes(key, found.epoch):
            self._overwritten.add(key)
            return
        self._overwritten.discard(key)
        if key.startswith(envelope.JSON) and found.said is not None:
            found = Said(found.epoch, b"")
        self._latest[key] = found

    def begin(self) -> list[Record]:
        """All was read; a new epoch begins.

        Returns what is to be written again: one that was thought dead wrote over it, and compaction
        would keep its word instead.
        """
        self.epoch = self._epochs.newest + 1
        for key, latest in self._latest.items():
            if latest.said is None:
                self._gone[1].add(key)
            else:
                self._take(key, latest.said, latest.beside)
        again: list[Record] = [
            (key, wrap(self.epoch, found.said, found.beside))
            for key in sorted(self._overwritten)
            if (found := self._latest.get(key)) and not key.startswith(envelope.JSON)
        ]
        self._latest = {}
        return again

    def _take(self, key: str, said: bytes, beside: bytes | None) -> None:
        kind, _, name = key.partition("/")
        if key.startswith(_OF_PIPELINE):
            self.pipeline.append((key, said))
            if kind == "alert" and beside is not None:
                self.besides[name] = _besides.decode(beside)
        elif kind == "notification":
            self.deliveries[name] = _deliveries.decode(said)
        elif kind == "endpoint":
            self.endpoints[name] = _endpoints.decode(said)
        elif kind == "failing":
            self.failing[name] = _endpoints.decode(said)
        elif key == envelope.POSITION:
            self.offsets, self.is_new = _positions.decode(said).offsets, False
        elif key == envelope.FLEET:
            self.fleet = _episodes.decode(said)

    def adopt(self, key: str, said: bytes, beside: Beside | None = None) -> Record:
        """Take over what stood somewhere else; returns the record that says it here."""
        self._take(key, said, None if beside is None else _encode(beside))
        return self.write(key, said, beside)

    # -- writing -------------------------------------------------------------------------------

    def write(self, key: str, said: bytes | None, beside: Beside | None = None) -> Record:
        """A record of this epoch; without anything said it is gone."""
        if said is None:
            self._gone[1].add(key)
        else:
            self._gone[0].discard(key)
            self._gone[1].discard(key)
        return key, wrap(self.epoch, said, None if beside is None else _encode(beside))

    def note(self, key: str, said: Delivery | Endpoint | Position | Episode) -> Record:
        """A record of this epoch."""
        return self.write(key, _encode(said))

    def tombstones(self) -> list[Record]:
        """For what was said to be gone before the last call. Called once an hour."""
        old, new = self._gone
        self._gone = new, set()
        return [(key, None) for key in sorted(old)]
