"""Pulse's own: events and profiles as they stand on the topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.collector.body import MAX_DEPTH, as_json
from pulse.collector.meaning import MAX_BATCH, MAX_EVENT_BYTES, Meant, bounded
from pulse.collector.refusals import BadEvent, Refusal
from pulse.model.fields import MAX_TEXT, MAX_VALUE
from pulse.model.instants import to_ms
from pulse.model.time import MAX_MS
from pulse.model.wire import Id
from pulse.packs import Line

if TYPE_CHECKING:
    from collections.abc import Iterable


def items(body: bytes, content_type: str) -> list[Any]:
    """The events of a body: one object, an array of them, or one a line (NDJSON)."""
    text = body.strip()
    if not text:
        raise Refusal(400, "empty", "the body is empty")
    if "ndjson" in content_type or "jsonl" in content_type or _has_lines(text):
        found = [as_json(line) for line in text.split(b"\n") if line.strip()]
    else:
        said = as_json(text)
        found = said if isinstance(said, list) else [said]
    return bounded(found)


def _has_lines(text: bytes) -> bool:
    """Whether there is an object a line, whatever the content type says."""
    first, _, rest = text.partition(b"\n")
    return first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")


class _Event(msgspec.Struct, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A usage event as nearly all are: fields of pulse alone, and nothing to refuse."""

    id: Id
    account_id: Id
    event: Id
    ts: Any
    user_id: Id | None = None
    source: Any = None
    properties: dict[str, Any] = {}

    def is_printable(self) -> bool:
        """Whether all of its texts that must be printable are."""
        user, feature = self.user_id, self.properties.get("feature")
        return (
            self.id.isprintable()
            and self.account_id.isprintable()
            and self.event.isprintable()
            and (user is None or user.isprintable())
            and (type(feature) is not str or feature.isprintable())
        )

    def is_plain(self) -> bool:
        """Whether it is seen at once that `UsageEvent` takes it, if its texts are printable."""
        properties, ts = self.properties, self.ts
        feature, value = properties.get("feature"), properties.get("value")
        if feature is not None and (type(feature) is not str or len(feature) > MAX_TEXT):
            return False
        if value is not None and not (type(value) in _NUMBERS and -MAX_VALUE <= value <= MAX_VALUE):
            return False
        if type(ts) is int:
            return 0 <= ts <= MAX_MS
        if type(ts) is str:
            try:
                to_ms(ts)
            except ValueError:
                return False
            return True
        return False


_SEEN: Final = bytes(set(range(0x20, 0x7F)) - set(b"\\"))
"""What can be printed, and stands for itself in JSON."""


def _is_printable(body: bytes) -> bool:
    """Whether all texts in JSON are, as is seen by looking at all of it at once."""
    return not body.translate(None, _SEEN)


_one: Final = msgspec.json.Decoder(_Event)
_many: Final = msgspec.json.Decoder(list[_Event])
_NUMBERS: Final = (int, float)
_encode: Final = msgspec.json.Encoder().encode


def events_in(body: bytes, content_type: str, source: str) -> Meant:
    """The usage events of a body. Raises `Refusal`.

    Nearly all bodies are decoded at once into what an event is, several times as fast. Whatever is
    not taken so is looked at again without haste, and `UsageEvent` alone says what is refused.
    """
    try:
        found = _many.decode(body) if body.startswith(b"[") else [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = []
    if not found or len(found) > MAX_BATCH:
        return events(items(body, content_type), source)
    if body.count(b"{") + body.count(b"[") - 2 * len(found) >= MAX_DEPTH:
        return events(items(body, content_type), source)  # one may be too deep
    meant = Meant(source)
    are_printable = _is_printable(body)
    take, encode, new = meant.lines.append, _encode, tuple.__new__
    for index, event in enumerate(found):
        event.source = source
        data = encode(event)
        if (
            len(data) <= MAX_EVENT_BYTES
            and event.is_plain()
            and (are_printable or event.is_printable())
        ):
            take(new(Line, (event.account_id, data)))  # half the time of `Line(…)`
        else:
            meant.add(index, msgspec.to_builtins(event))
    return meant


def profiles_in(body: bytes, content_type: str, source: str) -> Meant:
    """The account profiles of a body. Raises `Refusal`."""
    return profiles(items(body, content_type), source)


def events(found: Iterable[Any], source: str) -> Meant:
    """Usage events."""
    return _meant(found, source, {})


def profiles(found: Iterable[Any], source: str) -> Meant:
    """Account profiles; `type` may be left out."""
    return _meant(found, source, {"type": "profile"})


def _meant(found: Iterable[Any], source: str, also: dict[str, str]) -> Meant:
    meant = Meant(source)
    for index, fields in enumerate(found):
        if isinstance(fields, dict):
            meant.add(index, fields | also)
        else:
            meant.refused.append(BadEvent(index, "invalid", "", "is no object"))
    return meant
