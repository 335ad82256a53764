"""What the deliveries topic says, for whoever shows alerts and notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from pulse.alerting.records.delivery import Beside, Delivery, Endpoint
from pulse.alerting.records.envelope import Epochs, unwrap, version_of
from pulse.alerting.stages.grouping import Entry, GroupRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

_entries: Final = msgspec.json.Decoder(Entry)
_besides: Final = msgspec.json.Decoder(Beside)
_OF_KIND: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    "group": msgspec.json.Decoder(GroupRecord),
    "notification": msgspec.json.Decoder(Delivery),
    "endpoint": msgspec.json.Decoder(Endpoint),
}


class RecordedAlert(NamedTuple):
    """An alert: its newest state and what of it was told, where it came from, its way so far."""

    entry: Entry
    beside: Beside


class Deliveries:
    """What the first partition of the topic says, record by record in their order.

    Records of version 1, and those of other partitions, are passed over. With `keep_json` the
    alerts themselves are kept, as JSON.

    >>> from pulse.alerting.records.envelope import wrap
    >>> deliveries = Deliveries()
    >>> gone = b'{"receiver":"cs","url_sha256":"0","at_ms":5}'
    >>> deliveries.read("endpoint/cs", wrap(1, gone))
    >>> deliveries.endpoints["cs"].why
    'gone'
    """

    def __init__(self, *, keep_json: bool = False) -> None:
        self.alerts: dict[str, RecordedAlert] = {}
        self.groups: dict[str, GroupRecord] = {}
        self.notifications: dict[str, Delivery] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.json: dict[str, bytes] = {}
        self._keep_json = keep_json
        self._epochs = Epochs()

    def read(self, key: str, value: bytes | None) -> None:
        """Take one record. Raises `ValueError` where it cannot be read."""
        kind, _, name = key.partition("/")
        if value is None:
            self._epochs.forgets(key)
            self._drop(kind, name)
        elif name and version_of(value) != 1:
            found = unwrap(value)
            if not self._epochs.believes(key, found.epoch):
                return
            if found.said is None:
                self._drop(kind, name)
            else:
                self._put(kind, name, found.said, found.beside)

    def _put(self, kind: str, name: str, said: bytes, beside: bytes | None) -> None:
        if kind == "alert":
            known = Beside(origin="", due_ms=0) if beside is None else _besides.decode(beside)
            self.alerts[name] = RecordedAlert(_entries.decode(said), known)
        elif kind == "json" and self._keep_json:
            self.json[name] = said
        elif kind in _OF_KIND:
            self._of(kind)[name] = _OF_KIND[kind].decode(said)

    def _drop(self, kind: str, name: str) -> None:
        self._of(kind).pop(name, None)

    def _of(self, kind: str) -> dict[str, Any]:
        known: dict[str, dict[str, Any]] = {
            "alert": self.alerts,
            "json": self.json,
            "group": self.groups,
            "notification": self.notifications,
            "endpoint": self.endpoints,
        }
        return known.get(kind, {})
