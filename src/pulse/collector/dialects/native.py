"""Pulse's own: events and profiles as they stand on the topic."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Annotated, Any, Final

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
    ts: Annotated[int, msgspec.Meta(ge=0, le=MAX_MS)] | str
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
        if type(ts) is str:
            try:
                to_ms(ts)
            except ValueError:
                return False
        return True


_OPENERS: Final = b"{["
_SEEN: Final = bytes(set(range(0x20, 0x7F)) - set(b"\\" + _OPENERS))
"""What can be printed, stands for itself in JSON, and opens nothing."""

_one: Final = msgspec.json.Decoder(_Event)
_many: Final = msgspec.json.Decoder(list[_Event])
_NUMBERS: Final = (int, float)
_encode_lines: Final = msgspec.json.Encoder().encode_lines


def events_in(body: bytes, content_type: str, source: str) -> Meant:
    """The usage events of a body. Raises `Refusal`.

    Nearly all bodies are taken as a whole, several times as fast: each step goes over all events at
    once. Whatever is not taken so is looked at again, event by event, and `UsageEvent` alone says
    what is refused.
    """
    lines = _lines_at_once(body, source)
    if lines is None:
        return events(items(body, content_type), source)
    return Meant(source, lines)


def _lines_at_once(body: bytes, source: str) -> list[Line] | None:
    """The lines of a body that has nothing to refuse; None where that is not seen at once."""
    try:
        found = _many.decode(body) if body.startswith(b"[") else [_one.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not 0 < len(found) <= MAX_BATCH:
        return None
    odd = body.translate(None, _SEEN)
    if len(odd) - 2 * len(found) >= MAX_DEPTH and _openers(odd) - 2 * len(found) >= MAX_DEPTH:
        return None  # one may be too deep
    for event in found:
        event.source = source
    are_printable = len(odd) == _openers(odd) or all(map(_Event.is_printable, found))
    if not (are_printable and all(map(_Event.is_plain, found))):
        return None
    data = _encode_lines(found).split(b"\n")[:-1]
    if max(map(len, data)) > MAX_EVENT_BYTES:
        return None
    accounts = [event.account_id for event in found]
    # Half the time of `Line(…)` for each.
    return list(map(tuple.__new__, repeat(Line), zip(accounts, data, strict=True)))


def _openers(text: bytes) -> int:
    return text.count(b"{") + text.count(b"[")


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
