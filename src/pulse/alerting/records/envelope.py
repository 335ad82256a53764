"""What is around every record of the deliveries topic: its version, and who wrote it.

Version 2 stands in the topic's first partition alone. The topic is compacted. Keys:

| key | what is said |
|---|---|
| `position` | for every partition of the alerts topic, up to where all is recorded |
| `alert/<id>` | an `Entry`; beside it where it came from, and its way through the pipeline |
| `json/<id>` | the alert as it stands on the alerts topic, while it may be told |
| `group/<id>` | a `GroupRecord` |
| `budget/<owner>`, `owners` | what was told to an owner; whose turn it is |
| `notification/<id>` | a `Delivery`: what has become of a notification |
| `endpoint/<receiver>` | an `Endpoint` that gets nothing any more |
| `failing/<receiver>` | an `Endpoint` that has failed for an hour, and since when |
| `fleet` | the last time that the fleet fell together (`Episode`) |

Who leads counts its epoch one up and writes it into its records: what is written late, by one that
was thought dead, carries an older epoch than the records before it and is not believed. A tombstone
has no epoch; so what is gone is first said to be gone, and gets its tombstone an hour later.
Instants are milliseconds UTC.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

VERSION: Final = 2
PARTITION: Final = 0
"""Where they stand."""

ALERT: Final = "alert/"
JSON: Final = "json/"
GROUP: Final = "group/"
NOTIFICATION: Final = "notification/"
ENDPOINT: Final = "endpoint/"
FAILING: Final = "failing/"
POSITION: Final = "position"
FLEET: Final = "fleet"


class Said(NamedTuple):
    """A record without what is around it. `said` is JSON, None where it is gone."""

    epoch: int
    said: bytes | None
    beside: bytes | None = None


class _Envelope(msgspec.Struct, kw_only=True):
    v: int
    epoch: int
    said: msgspec.Raw | UnsetType = UNSET
    beside: msgspec.Raw | UnsetType = UNSET


class _Version(msgspec.Struct):
    v: int = 0


_encode: Final = msgspec.json.Encoder().encode
_envelopes: Final = msgspec.json.Decoder(_Envelope)
_versions: Final = msgspec.json.Decoder(_Version)


def wrap(epoch: int, said: bytes | None, beside: bytes | None = None) -> bytes:
    """The value of a record.

    >>> wrap(3, b'{"a":1}')
    b'{"v":2,"epoch":3,"said":{"a":1}}'
    >>> unwrap(wrap(3, None))
    Said(epoch=3, said=None, beside=None)
    """
    return _encode(
        _Envelope(
            v=VERSION,
            epoch=epoch,
            said=UNSET if said is None else msgspec.Raw(said),
            beside=UNSET if beside is None else msgspec.Raw(beside),
        )
    )


def unwrap(value: bytes) -> Said:
    """What a record's value says. Raises `ValueError` where it is none, or of the future."""
    if (version := version_of(value)) != VERSION:
        raise ValueError(f"a record of version {version}; this pulse reads version {VERSION}")
    found = _envelopes.decode(value)
    return Said(found.epoch, _bytes(found.said), _bytes(found.beside))


def version_of(value: bytes) -> int:
    """The version of a record's value; 0 where it says none. Raises `ValueError`."""
    return _versions.decode(value).v


def _bytes(raw: msgspec.Raw | UnsetType) -> bytes | None:
    return bytes(raw) if isinstance(raw, msgspec.Raw) else None


class Epochs:
    """Which records are believed: those of the newest epoch, and the only ones of their keys.

    >>> epochs = Epochs()
    >>> epochs.believes("a", 1), epochs.believes("b", 2), epochs.believes("a", 1)
    (True, True, False)
    >>> epochs.believes("c", 1)
    True
    """

    def __init__(self) -> None:
        self.newest = 0
        self._known: set[str] = set()

    def believes(self, key: str, epoch: int) -> bool:
        """Whether a record counts, in the order of the topic."""
        if epoch < self.newest and key in self._known:
            return False
        self.newest = max(self.newest, epoch)
        self._known.add(key)
        return True

    def forgets(self, key: str) -> None:
        """A tombstone was read."""
        self._known.discard(key)
