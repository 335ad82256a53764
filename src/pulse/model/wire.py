"""The hot decoder: bytes of a Kafka record or of a file → typed lines.

A `Decoder` is built once from the property paths that a configuration asks for, so that only
these are materialised and the rest of `properties` is skipped in C. It accepts the same language
as the pydantic models of `pulse.model.usage`; a test holds the two together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MAX_TS_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: the largest time that RFC 3339 can write."""

MAX_RECORD_BYTES = 1 << 20
"""A larger record is a mistake, not a usage event; it goes to the dead letter unread."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Timestamp = Annotated[datetime, Meta(tz=True)] | int


class ProfileFields(Struct, gc=False):
    """What a profile record says of an account: `UNSET` is not said, `None` deletes."""

    name: str | UnsetType | None = UNSET
    segment: str | UnsetType | None = UNSET
    plan: str | UnsetType | None = UNSET
    mrr: float | UnsetType | None = UNSET
    seats: int | UnsetType | None = UNSET
    owner: str | UnsetType | None = UNSET
    started_at: Timestamp | UnsetType | None = UNSET
    renewal_at: Timestamp | UnsetType | None = UNSET
    timezone: str | UnsetType | None = UNSET


class Line(Struct, gc=False):
    """One line of a record: a usage event, or a profile where `type` is `"profile"`.

    `properties` is a struct made for the configuration; read it through `Decoder.getter`.
    """

    id: Id
    account_id: Id
    ts: Timestamp
    event: Id | None = None
    user_id: Id | None = None
    source: Id = "default"
    type: str | None = None
    profile: ProfileFields | None = None
    properties: Any = None


class BadLine(NamedTuple):
    """A line that is no usage event: its number in the record (from 1), its bytes, and why."""

    number: int
    raw: bytes
    reason: str
    detail: str


def to_ms(ts: datetime | int) -> int:
    """Milliseconds UTC of a decoded timestamp; a fraction of a millisecond is cut off."""
    if isinstance(ts, int):
        return ts
    return (ts - _EPOCH) // _MILLISECOND


class Decoder:
    """Decodes records for one set of property paths.

    `paths` are dotted, from the line's root (`properties.feature`, `properties.plan.name`).
    """

    def __init__(self, paths: Iterable[str] = ()) -> None:
        names = sorted({path.split(".")[1] for path in paths})
        self._field = {name: f"p{i}" for i, name in enumerate(names)}
        properties = msgspec.defstruct(
            "Properties",
            [(field, Any, None) for field in self._field.values()],
            rename={field: name for name, field in self._field.items()},
            gc=False,
        )
        line = msgspec.defstruct(
            "UsageLine",
            [("properties", properties, msgspec.field(default_factory=properties))],
            bases=(Line,),
            gc=False,
        )
        self._decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(line)

    def getter(self, path: str) -> Callable[[Line], Any]:
        """Function that reads `path` (one of those given to the constructor) from a line.

        It returns None where the line does not have the property.
        """
        name, *rest = path.split(".")[1:]
        field = self._field[name]
        if not rest:

            def read(line: Line) -> Any:
                return getattr(line.properties, field)

            return read

        def walk(line: Line) -> Any:
            value = getattr(line.properties, field)
            for key in rest:
                value = value.get(key) if isinstance(value, dict) else None
            return value

        return walk

    def decode_singles(self, values: Sequence[bytes]) -> list[Line] | None:
        """The lines of `values`, one each, or None where they must be taken one by one.

        One call into C for a whole batch. Records that each begin with `{`, end with `}` and
        hold no line break can only meet at the top level, so an object never spans two records.
        """
        blob = b"\n".join(values)
        joints = len(values) - 1
        if (
            blob[:1] != b"{"
            or blob[-1:] != b"}"
            or blob.count(b"\n") != joints
            or blob.count(b"}\n{") != joints
            or len(blob) > joints * MAX_RECORD_BYTES + MAX_RECORD_BYTES
            or (len(blob) > MAX_RECORD_BYTES and max(map(len, values)) > MAX_RECORD_BYTES)
        ):
            return None
        try:
            if not blob.isascii():
                # msgspec does not look into strings that it skips.
                blob.decode()
            lines = self._decoder.decode_lines(blob)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return lines if len(lines) == len(values) else None

    def decode_record(self, value: bytes) -> tuple[list[Line], list[BadLine]]:
        """All lines of one record: one JSON object a line, or one object over several lines."""
        if len(value) > MAX_RECORD_BYTES:
            detail = f"{len(value)} bytes, at most {MAX_RECORD_BYTES} are read"
            return [], [BadLine(1, value, "too_large", detail)]
        try:
            if not value.isascii():
                value.decode()
            lines = self._decoder.decode_lines(value)
            # Two objects on one line are two lines to msgspec and a mistake to everybody else.
            if lines and len(lines) <= value.count(b"\n") + 1:
                return lines, []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        return self._one_by_one(value)

    def _one_by_one(self, value: bytes) -> tuple[list[Line], list[BadLine]]:
        lines: list[Line] = []
        bad: list[BadLine] = []
        for number, raw in enumerate(value.split(b"\n"), 1):
            if not raw.strip():
                continue
            line = self.decode_line(raw, number)
            (bad if isinstance(line, BadLine) else lines).append(line)  # type: ignore[arg-type]
        if not lines and not bad:
            bad.append(BadLine(1, value, "empty", "the record has no line"))
        return lines, bad

    def decode_line(self, raw: bytes, number: int = 1) -> Line | BadLine:
        """One line, or what is wrong with it."""
        try:
            if not raw.isascii():
                raw.decode()
            return self._decoder.decode(raw)
        except UnicodeDecodeError as error:
            return BadLine(number, raw, "not_utf8", f"byte {error.start}: {error.reason}")
        except RecursionError:
            return BadLine(number, raw, "too_deep", "nested too deeply")
        except msgspec.ValidationError as error:
            return BadLine(number, raw, "wrong_shape", str(error))
        except msgspec.DecodeError as error:
            return BadLine(number, raw, "not_json", str(error))
