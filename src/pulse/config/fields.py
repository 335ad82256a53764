"""What the sections of the configuration share: their base class and their field types."""

import re
from fnmatch import translate
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from pulse.config.mistakes import refuse
from pulse.config.suggestions import did_you_mean
from pulse.model.time import MAX_DURATION_MS

DAY_MS: Final = 86_400_000
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_DURATION: Final = r"^[0-9]{1,9}[smhd]$"


class Section(BaseModel):
    """A part of the configuration: no unknown key, no silent conversion, an empty key is unset."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _an_empty_key_is_not_set(cls, data: Any) -> Any:
        # `kafka:` with everything below it commented out is null to YAML.
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if value is not None}
        return data


def duration_ms(text: object) -> int:
    """Milliseconds of a duration like `90s`, `15m`, `1h`, `1d`; at most 366 days.

    >>> duration_ms("15m"), duration_ms("1d")
    (900000, 86400000)
    """
    if not isinstance(text, str) or not re.match(_DURATION, text):
        hint = None
        if isinstance(text, int) and not isinstance(text, bool):
            hint = f'did you mean "{text}s"?'
        raise refuse("must be a duration like 90s, 15m, 1h or 1d", suggestion=hint)
    ms = int(text[:-1]) * _UNIT_MS[text[-1]]
    if ms > MAX_DURATION_MS:
        raise refuse("must be at most 366d")
    return ms


def duration_text(ms: int) -> str:
    """The shortest text that `duration_ms` reads back as these milliseconds.

    >>> duration_text(86_400_000), duration_text(5_400_000)
    ('1d', '90m')
    """
    for unit in "dhm":
        if ms and ms % _UNIT_MS[unit] == 0:
            return f"{ms // _UNIT_MS[unit]}{unit}"
    return f"{ms // 1000}s"


def _timezone(name: str) -> str:
    known = available_timezones()
    if name not in known:
        hint = did_you_mean(name, known) or "IANA names look like Europe/Berlin"
        raise refuse(f'unknown time zone "{name}"', suggestion=hint)
    return name


def _pattern(text: str) -> str:
    if not text:
        raise refuse("must not be empty", suggestion='"*" matches everything')
    # fnmatch takes a [ without ] literally, which nobody means.
    if text.count("[") and not re.search(r"\[!?.[^\]]*\]", text):
        raise refuse(f'"[" without "]" in the pattern "{text}"')
    re.compile(translate(text))
    return text


def _environment_variable(name: str) -> str:
    # What stands here by mistake is often the secret itself: it is not repeated.
    if name.startswith("whsec_") or not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", name):
        raise refuse(
            "must be the name of an environment variable, not the secret itself",
            suggestion="put the secret in a variable like PULSE_SECRET and name that here",
        )
    return name


def url_mistake(url: str, schemes: tuple[str, ...], instead: str) -> str | None:
    """What is wrong with an address, never repeating it: it may hold a secret. None if nothing.

    `instead` is the setting that takes the address from the environment.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not an address that can be understood"
    if parts.scheme not in schemes:
        return f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if parts.password:
        return (
            "has a password in it; put the whole address in an environment variable "
            f"and name that in {instead}"
        )
    if not host and parts.scheme != "unix":
        return "has no host"
    return None


Duration = Annotated[
    int,
    BeforeValidator(duration_ms),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _DURATION}),
]
"""Milliseconds in Python; `90s`, `15m`, `1h`, `1d` in the file."""

Window = Literal["7d", "28d", "84d"]
TimeZone = Annotated[str, AfterValidator(_timezone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
"""A shell pattern: `*`, `?`, `[abc]`."""
EnvName = Annotated[str, AfterValidator(_environment_variable)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
PropertyPath = Annotated[
    str, StringConstraints(pattern=r"^properties(\.[^.\s]+)+$", max_length=200)
]
"""Where in an event a value is found: `properties.` and the names on the way to it."""
Port = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Score = Annotated[float, Field(ge=0, le=100)]
Days = Annotated[int, Field(ge=0, le=3_660)]
SomeDays = Annotated[int, Field(ge=1, le=3_660)]
Count = Annotated[int, Field(ge=1)]
