"""What a request means once its dialect is understood: lines, letters, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import ValidationError

from pulse.collector.refusals import BadEvent, Refusal
from pulse.collector.sink import Letter
from pulse.model.usage import ProfileRecord, UsageEvent
from pulse.packs import Line

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_EVENT_BYTES = 32 << 10
"""Of one event, as Segment has it."""

MAX_BATCH = 10_000
"""Events of one request."""


@dataclass(slots=True)
class Meant:
    """What a request means.

    `refused` are told to the client; where a dialect cannot tell, they are `letters` too.
    """

    source: str
    lines: list[Line] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    refused: list[BadEvent] = field(default_factory=list)
    passed_over: int = 0
    """Calls that say nothing of an account's use, as they should not."""

    def add(self, index: int, fields: Mapping[str, Any]) -> None:
        """A usage event, or a profile (`type`), as its dialect has translated it."""
        said = {**fields, "source": self.source}
        kind = ProfileRecord if said.get("type") == "profile" else UsageEvent
        data = msgspec.json.encode(said)
        if len(data) > MAX_EVENT_BYTES:
            detail = f"{len(data)} bytes, at most {MAX_EVENT_BYTES} are taken"
            self.refused.append(BadEvent(index, "too_large", "", detail))
            return
        try:
            found = kind.model_validate(said)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            self.refused.append(BadEvent(index, "invalid", place, first["msg"]))
            return
        self.lines.append(Line(found.account_id, data))

    def keep(self, raw: Any, reason: str, detail: str) -> None:
        """An event that cannot be counted, and that its client is not told of."""
        self.letters.append(Letter(msgspec.json.encode(raw), reason, detail))


def bounded(events: list[Any]) -> list[Any]:
    """The events of a request. Raises `Refusal` (413) where they are too many."""
    if len(events) > MAX_BATCH:
        raise Refusal(413, "too_many", f"{len(events)} events, at most {MAX_BATCH} are taken")
    return events
