"""The hot decoder: bytes of a Kafka record or of a file → typed lines.

A `Decoder` is built once from the property paths that a configuration asks for, so that only
these are materialised and the rest of `properties` is skipped in C. Together with the engine's
checks of what a field may say, it accepts the same language as the pydantic models of
`pulse.model.usage`; a test holds the two together.

The fast way decodes many lines in one call, with one struct for both kinds of line. A line that it
does not take is looked at again without haste: only the fields of its own kind count then, and of
a doubled field the last.
"""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from pulse.model.instants import to_ms
from pulse.model.shape import MAX_DEPTH, MAX_LINE_BYTES, all_objects, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_TS_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999: the largest time that RFC 3339 can write."""

Id = Annotated[str, Meta(min_length=1, max_length=256)]
Timestamp = str | int
"""As it stands there; `pulse.model.instants.to_ms` reads it."""


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
    country: str | UnsetType | None = UNSET


PROFILE_INSTANTS: Final = ("started_at", "renewal_at")
"""Those of its fields that are instants."""


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


EVENT_FIELDS = ("id", "account_id", "user_id", "event", "ts", "source", "properties")
PROFILE_FIELDS = ("id", "account_id", "ts", "source", "type", "profile")


class BadLine(NamedTuple):
    """What is wrong with a line."""

    reason: str
    detail: str


said: Callable[[Line], tuple[Any, ...]] = msgspec.structs.astuple
"""What a line says, at once: id, account_id, ts, event, user_id, source, type, profile,
properties."""


class Entry(NamedTuple):
    """One line of a record: its number (from 1), its bytes, and what they say."""

    number: int
    raw: bytes
    line: Line | BadLine


class Lines(NamedTuple):
    """The lines of a batch; `is_printable` says that all their texts are known to be."""

    lines: list[Line]
    is_printable: bool


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
            return attrgetter(f"properties.{field}")

        def walk(line: Line) -> Any:
            value = getattr(line.properties, field)
            for key in rest:
                value = value.get(key) if isinstance(value, dict) else None
            return value

        return walk

    def field(self, path: str) -> str | None:
        """The field of a line's `properties` that holds `path`; None where it lies deeper."""
        name, *rest = path.split(".")[1:]
        return None if rest else self._field[name]

    def decode_lines(self, values: list[bytes]) -> Lines | None:
        """All lines of `values`, in order, or None where they must be taken one by one.

        One call into C for a whole batch. Where each line of each value begins with `{` and ends
        with `}`, an object never spans two of them, and there are as many objects as lines.
        """
        if not values:
            return self._decode_objects(values, b"")
        blob = b"\n".join(values)
        # Who writes values of several lines seldom writes others.
        if b"\n" not in values[0]:
            lines = self._decode_objects(values, blob)
            if lines is not None or b"\n" not in b"".join(values):
                return lines
        return self._decode_objects(blob.split(b"\n"), blob)

    def _decode_objects(self, raws: list[bytes], blob: bytes) -> Lines | None:
        """As many lines as there are `raws`, which are `blob` together; None if it is not so."""
        if not all_objects(raws):
            return None
        is_ascii = blob.isascii()
        try:
            if not is_ascii:
                # msgspec does not look into strings that it skips.
                blob.decode()
            lines = self._decoder.decode_lines(blob)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if len(lines) != len(raws):
            return None
        # One look at all bytes instead of one at every text: in ASCII without escapes there is only
        # one character that cannot be printed, DEL.
        return Lines(lines, is_ascii and b"\\" not in blob and b"\x7f" not in blob)

    def decode_record(self, value: bytes) -> list[Entry]:
        """All lines of one record: one JSON object a line, or one object over several lines."""
        raws = value.rstrip(b"\n").split(b"\n")
        decoded = self.decode_lines(raws)
        if decoded is not None:
            return list(map(Entry, range(1, len(raws) + 1), raws, decoded.lines))
        entries = [
            Entry(number, raw, self.decode_line(raw))
            for number, raw in enumerate(raws, 1)
            if raw.strip(b" \t\r")
        ]
        if not entries:
            return [Entry(1, value, BadLine("empty", "the record has no line"))]
        if len(entries) > 1 and isinstance(entries[0].line, BadLine) and _is_json(value):
            whole = self.decode_line(value)
            # One object over several lines, good or bad.
            if not isinstance(whole, BadLine) or whole.reason == "wrong_shape":
                return [Entry(1, value, whole)]
        return entries

    def decode_line(self, raw: bytes) -> Line | BadLine:
        """One line, or what is wrong with it."""
        if len(raw) > MAX_LINE_BYTES:
            detail = f"{len(raw)} bytes, at most {MAX_LINE_BYTES} are read"
            return BadLine("too_large", detail)
        try:
            if not raw.isascii():
                raw.decode()
            if is_too_deep(raw):
                return BadLine("too_deep", f"nested more than {MAX_DEPTH} times")
            return _with_instant(self._decoder.decode(raw))
        except UnicodeDecodeError as error:
            return BadLine("not_utf8", f"byte {error.start}: {error.reason}")
        except msgspec.ValidationError:
            return self._look_again(raw)
        except msgspec.DecodeError as error:
            return BadLine("not_json", str(error))

    def _look_again(self, raw: bytes) -> Line | BadLine:
        try:
            fields = own_fields(raw)
            if "profile" in fields:
                said = msgspec.json.decode(fields["profile"], type=dict[str, Raw])
                known = {n: said[n] for n in ProfileFields.__struct_fields__ if n in said}
                fields["profile"] = Raw(msgspec.json.encode(known))
            return _with_instant(self._decoder.decode(msgspec.json.encode(fields)))
        except msgspec.DecodeError as error:
            return BadLine("wrong_shape", str(error))


def _with_instant(line: Line) -> Line | BadLine:
    """The line, if its time is one: where many are decoded at once, that is seen later."""
    try:
        to_ms(line.ts)
    except ValueError as error:
        return BadLine("wrong_shape", f"ts: {error}")
    return line


def own_fields(raw: bytes) -> dict[str, Raw]:
    """The fields that count in a line: a profile's where `type` is "profile", else an event's.

    They are not decoded yet; of a doubled field it is the last. Raises `msgspec.DecodeError` for
    what is no JSON object.
    """
    fields = msgspec.json.decode(raw, type=dict[str, Raw])
    names = PROFILE_FIELDS if _is_profile(fields.get("type")) else EVENT_FIELDS
    return {name: fields[name] for name in names if name in fields}


def _is_profile(kind: Raw | None) -> bool:
    try:
        return kind is not None and bool(msgspec.json.decode(kind) == "profile")
    except msgspec.DecodeError:  # a number that no double can hold
        return False


def _is_json(value: bytes) -> bool:
    """Whether it is one JSON value, of whatever shape, to its last byte."""
    try:
        msgspec.json.decode(value, type=Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]', re.DOTALL)


def is_too_deep(raw: bytes) -> bool:
    """Whether JSON is nested more than `MAX_DEPTH` times; no matter for what is no JSON."""
    if is_plain(raw):
        return False
    depth = 0
    for token in _TOKENS.finditer(raw):
        if token[0] in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif token[0] in (b"}", b"]"):
            depth -= 1
    return False
