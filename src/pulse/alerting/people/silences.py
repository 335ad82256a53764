"""The records of the silences topic: what people have muted, and what they want to be sent again.

The topic is compacted and has one partition: one order for all that people say. Keys:

| key | value |
|---|---|
| `silence/<id>` | a `Silence`: alerts that match are held from its start to its end |
| `snooze/<alert id>` | a `Snooze`: one alert is held until then, or taken over until it ends |
| `replay/<id>` | a `Replay`: a notification is to be sent again |

A tombstone lifts it; that of a replay is written by the notifier that has it on record. Instants
are RFC 3339 here, milliseconds UTC in the program; the notification in a replay is as in the
deliveries topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.people.said import said_id
from pulse.alerting.records.delivery import Delivery
from pulse.alerting.records.replays import Replay
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.model.time import format_ms, parse_ts

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1
SILENCE_PREFIX: Final = "silence/"
SNOOZE_PREFIX: Final = "snooze/"
REPLAY_PREFIX: Final = "replay/"


class _Silence(msgspec.Struct, kw_only=True, omit_defaults=True):
    v: int
    id: str
    match: dict[str, list[str] | float]
    author: str
    reason: str
    starts_at: str
    ends_at: str


class _Snooze(msgspec.Struct, kw_only=True, omit_defaults=True):
    v: int
    alert_id: str
    author: str
    reason: str = ""
    until: str | None = None


class _Replay(msgspec.Struct, kw_only=True, omit_defaults=True):
    v: int
    id: str
    author: str
    asked_at: str
    of: Delivery
    new_id: bool = False


_encode: Final = msgspec.json.Encoder().encode
_silences: Final = msgspec.json.Decoder(_Silence)
_snoozes: Final = msgspec.json.Decoder(_Snooze)
_replays: Final = msgspec.json.Decoder(_Replay)


class Muted:
    """All that people have muted, as the topic says it; and what they want to be sent again, in the
    order in which they asked.

    >>> muted = Muted()
    >>> muted.read(*encode_snooze(Snooze(alert_id="al_1", author="kim", until_ms=60_000)))
    >>> muted.snoozes["al_1"].until_ms
    60000
    >>> muted.read("snooze/al_1", None)
    >>> muted.snoozes
    {}
    """

    def __init__(self) -> None:
        self.silences: dict[str, Silence] = {}
        self.snoozes: dict[str, Snooze] = {}
        self.replays: dict[str, Replay] = {}

    def read(self, key: str, value: bytes | None) -> None:
        """Take a record over. Raises `ValueError` where it is none, or of a later version."""
        kind, _, name = key.partition("/")
        of: Mapping[str, dict[str, Silence] | dict[str, Snooze] | dict[str, Replay]] = {
            "silence": self.silences,
            "snooze": self.snoozes,
            "replay": self.replays,
        }
        if kind not in of:
            raise ValueError(f"not a record of the silences topic: {key[:80]}")
        if value is None:
            of[kind].pop(name, None)
        elif kind == "silence":
            self.silences[name] = decode_silence(value)
        elif kind == "replay":
            self.replays[name] = decode_replay(value)
        else:
            self.snoozes[name] = decode_snooze(value)


def silence_id(author: str, key: str | None = None) -> str:
    """An id that nobody has; with a key the same one whenever that author says that key."""
    return said_id("si", author, key)


def encode_silence(silence: Silence) -> tuple[str, bytes]:
    """Key and value of a silence's record."""
    match = {
        name: list(value) if isinstance(value, tuple) else value
        for name in Matcher.__slots__
        if (value := getattr(silence.match, name)) not in ((), None)
    }
    record = _Silence(
        v=VERSION,
        id=silence.id,
        match=match,
        author=silence.author,
        reason=silence.reason,
        starts_at=format_ms(silence.starts_ms),
        ends_at=format_ms(silence.ends_ms),
    )
    return SILENCE_PREFIX + silence.id, _encode(record)


def decode_silence(value: bytes) -> Silence:
    """The silence of a record's value. Raises `ValueError`."""
    record = _silences.decode(value)
    _check_version(record.v)
    unknown = record.match.keys() - set(Matcher.__slots__)
    if unknown:
        # Without what it says there, it would mute more than was meant.
        raise ValueError(f"matches by what is not known: {', '.join(sorted(unknown))}")
    match = {
        name: tuple(said) if isinstance(said, list) else said for name, said in record.match.items()
    }
    return Silence(
        id=record.id,
        match=msgspec.convert(match, Matcher),
        author=record.author,
        reason=record.reason,
        starts_ms=parse_ts(record.starts_at),
        ends_ms=parse_ts(record.ends_at),
    )


def encode_snooze(snooze: Snooze) -> tuple[str, bytes]:
    """Key and value of a snooze's record."""
    record = _Snooze(
        v=VERSION,
        alert_id=snooze.alert_id,
        author=snooze.author,
        reason=snooze.reason,
        until=None if snooze.until_ms is None else format_ms(snooze.until_ms),
    )
    return SNOOZE_PREFIX + snooze.alert_id, _encode(record)


def decode_snooze(value: bytes) -> Snooze:
    """The snooze of a record's value. Raises `ValueError`."""
    record = _snoozes.decode(value)
    _check_version(record.v)
    return Snooze(
        alert_id=record.alert_id,
        author=record.author,
        reason=record.reason,
        until_ms=None if record.until is None else parse_ts(record.until),
    )


def encode_replay(replay: Replay) -> tuple[str, bytes]:
    """Key and value of a replay's record."""
    record = _Replay(
        v=VERSION,
        id=replay.id,
        author=replay.author,
        asked_at=format_ms(replay.asked_ms),
        of=replay.of,
        new_id=replay.new_id,
    )
    return REPLAY_PREFIX + replay.id, _encode(record)


def decode_replay(value: bytes) -> Replay:
    """The replay of a record's value. Raises `ValueError`."""
    record = _replays.decode(value)
    _check_version(record.v)
    return Replay(
        id=record.id,
        of=record.of,
        author=record.author,
        asked_ms=parse_ts(record.asked_at),
        new_id=record.new_id,
    )


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ValueError(f"a record of version {version}; this pulse reads version {VERSION}")
