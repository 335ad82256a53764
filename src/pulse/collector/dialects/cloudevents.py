"""CloudEvents 1.0 over HTTP: structured, batched and binary, all of them in JSON.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from xxhash import xxh3_128_hexdigest

from pulse.collector.body import as_json
from pulse.collector.dialects import traits
from pulse.collector.meaning import Meant, bounded
from pulse.collector.refusals import BadEvent, Refusal
from pulse.model.fields import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
HEADER: Final = "ce-"

REQUIRED: Final = ("specversion", "id", "source", "type", "subject")
"""The specification lets `subject` be absent; without it there is no account."""

_NAMES: Final = {"ts": "time", "account_id": "subject", "event": "type", "user_id": "userid",
                 "properties": "data"}  # fmt: skip
"""What a field of an event is called by those who send it."""

_QUOTED: Final = re.compile(r'"(.*)"\Z')


def events_of(body: bytes, headers: Mapping[str, str]) -> list[Any]:
    """The events of a request, each as it would stand in JSON. Raises `Refusal` (400, 413, 415)."""
    content_type = headers.get("content-type", "")
    media = content_type.partition(";")[0].strip().lower()
    if media == ONE:
        return [as_json(body)]
    if media == BATCH:
        found = as_json(body)
        if not isinstance(found, list):
            raise Refusal(400, "invalid", "a batch is an array of events")
        return bounded(found)
    event: dict[str, Any] = {
        name.removeprefix(HEADER): _unquoted(value)
        for name, value in headers.items()
        if name.startswith(HEADER)
    }
    if not event:
        detail = f"the content type is {ONE} or {BATCH}, or headers begin with {HEADER}"
        raise Refusal(415, "no_cloudevent", detail)
    if body.strip() and _is_json(media):
        event["data"] = as_json(body)
    return [event]


def _unquoted(value: str) -> str:
    """The value of an attribute that came as a header."""
    quoted = _QUOTED.match(value)
    return unquote(re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value)


def _is_json(media: Any) -> bool:
    """Whether data of this content type is JSON; it is where nothing is said."""
    return not media or (isinstance(media, str) and "json" in media)


def meaning_of(events: list[Any], source: str, received_ms: int) -> Meant:
    """What events mean."""
    meant = Meant(source)
    for index, event in enumerate(events):
        found = _fields(index, event, received_ms)
        if isinstance(found, BadEvent):
            meant.refused.append(found)
        else:
            meant.add(index, found)
    meant.refused = [bad._replace(field=_NAMES.get(bad.field, bad.field)) for bad in meant.refused]
    return meant


def _fields(index: int, event: Any, received_ms: int) -> dict[str, Any] | BadEvent:
    """The fields of a usage event, or why it is none."""
    if not isinstance(event, dict):
        return BadEvent(index, "invalid", "", "is no object")
    for name in REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            return BadEvent(index, "missing", name, "must be there, and be text")
    if not event["specversion"].startswith("1."):
        return BadEvent(index, "invalid", "specversion", "only version 1 is understood")
    try:
        data = _data(event)
    except Refusal as refusal:
        return BadEvent(index, refusal.reason, "data_base64", refusal.detail)
    # An attribute that is null is as one that is not there.
    at = event.get("time")
    said = {
        "id": _id(event["source"], event["id"]),
        "account_id": event["subject"],
        "event": event["type"],
        "ts": received_ms if at is None else at,
        "properties": traits.countable(data),
    }
    user = traits.text(event.get("userid"))
    if user is None and isinstance(data, dict):
        user = traits.text(data.get("user_id"))
    return said if user is None else said | {"user_id": user}


def _id(source: str, known: str) -> str:
    """Unique as the two are together. A source is a URI, which has no space in it."""
    both = f"{source} {known}"
    return both if len(both) <= MAX_TEXT else xxh3_128_hexdigest(both.encode())


def _data(event: Mapping[str, Any]) -> Any:
    """What the event says besides; None where it is not JSON. Raises `Refusal`."""
    coded = event.get("data_base64")
    if coded is None:
        return event.get("data")
    if not _is_json(event.get("datacontenttype")):
        return None
    try:
        data = base64.b64decode(coded, validate=True)
    except (ValueError, TypeError) as error:
        raise Refusal(400, "not_base64", str(error)) from None
    return as_json(data)
