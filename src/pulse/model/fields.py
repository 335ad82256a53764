"""The field types the models share, and the rules behind them as plain functions.

The rules are functions so that another decoder (`model.wire`) can hold the same language without
going through pydantic.
"""

from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from pulse.model.time import MAX_MS, format_ms, parse_ts

MAX_TEXT: Final = 256
"""Characters an id, an event's name or a profile's text may have."""

MAX_VALUE: Final = 1_000_000_000
"""The largest absolute value of an event: as 10⁻⁶ it fits 63 bits more than 9,000 times."""

MAX_AMOUNT: Final = 1_000_000_000_000
"""The largest MRR and number of seats: room for currencies with small units."""


def is_plain_text(text: str) -> bool:
    """Whether the text has 1 to 256 characters, all printable (no control, no lone surrogate).

    >>> is_plain_text("Müller & Co"), is_plain_text(""), is_plain_text("a\\x00b")
    (True, False, False)
    """
    return 0 < len(text) <= MAX_TEXT and text.isprintable()


def is_bounded(number: int | float) -> bool:
    """Whether the number can be counted with: finite, and at most 10⁹ either way."""
    return -MAX_VALUE <= number <= MAX_VALUE  # false for NaN; no conversion that overflows


def _plain_text(text: str) -> str:
    if not is_plain_text(text):
        raise ValueError(f"must have 1 to {MAX_TEXT} characters, all of them printable")
    return text


_DATE_TIME = {"type": "string", "format": "date-time"}

PlainText = Annotated[
    str,
    AfterValidator(_plain_text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_TEXT}),
]
"""An id, a name: 1 to 256 printable characters."""

Timestamp = Annotated[
    int,
    BeforeValidator(parse_ts),
    PlainSerializer(format_ms, return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [_DATE_TIME, {"type": "integer", "minimum": 0, "maximum": MAX_MS}]},
        mode="validation",
    ),
    WithJsonSchema(_DATE_TIME, mode="serialization"),
]
"""An instant: milliseconds UTC in Python, RFC 3339 in JSON (integer milliseconds are read too)."""

Number = Annotated[
    # The condition stands at the float: at the union it would be a call of Python a number.
    int | Annotated[float, Field(allow_inf_nan=False)], WithJsonSchema({"type": "number"})
]
"""A finite number that keeps its kind: 3 stays 3, 2.5 stays 2.5."""
