"""Pulse's own: events and profiles as they stand on the topic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.collector.body import as_json
from pulse.collector.meaning import Meant
from pulse.collector.refusals import BadEvent, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_BATCH = 10_000


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
    if len(found) > MAX_BATCH:
        raise Refusal(413, "too_many", f"{len(found)} events, at most {MAX_BATCH} are taken")
    return found


def _has_lines(text: bytes) -> bool:
    """Whether there is an object a line, whatever the content type says."""
    first, _, rest = text.partition(b"\n")
    return first.rstrip().endswith(b"}") and rest.lstrip().startswith(b"{")


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
