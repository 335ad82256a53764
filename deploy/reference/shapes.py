"""What a JSON Schema asks for, in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pulse.config import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

_DURATION: Final = "[smhd]$"
_LONGEST: Final = 80
"""Characters of a default that is shown."""


def forms_of(schema: Schema) -> list[Schema]:
    """The forms that a value may have, without null.

    >>> forms_of({"anyOf": [{"type": "integer"}, {"type": "null"}]})
    [{'type': 'integer'}]
    """
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return [form for each in schema[word] for form in forms_of(each)]
    return [] if schema.get("type") == "null" else [schema]


def model_of(schema: Schema) -> str | None:
    """The name of the model that a schema refers to."""
    return schema["$ref"].rpartition("/")[2] if "$ref" in schema else None


def in_words(schema: Schema, of_model: Callable[[str], str]) -> str:
    """A type, with its bounds; `of_model` says those that have a name.

    >>> in_words({"type": "integer", "minimum": 1, "maximum": 9}, str)
    'integer, 1 to 9'
    >>> in_words({"type": "array", "items": {"enum": ["a", "b"]}}, str)
    'list of `a` or `b`'
    """
    return " or ".join(dict.fromkeys(_form(each, of_model) for each in forms_of(schema)))


def default_of(schema: Schema) -> str:
    """The default as it would be written; empty where there is none.

    >>> default_of({"default": 5_400_000, "type": "string", "pattern": "^[0-9]{1,9}[smhd]$"})
    '`90m`'
    """
    said = schema.get("default")
    if said is None:
        return ""
    if isinstance(said, int) and any(map(_is_duration, forms_of(schema))):
        said = duration_text(said)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    if not text:
        return ""
    return f"`{text}`" if len(text) <= _LONGEST else "see the example"


def _form(schema: Schema, of_model: Callable[[str], str]) -> str:
    if name := model_of(schema):
        return of_model(name)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        if not schema.get("items"):
            return "list"
        return f"list of {in_words(schema['items'], of_model)}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"by name: {in_words(inner, of_model)}" if isinstance(inner, dict) else "object"
    if kind == "string":
        return _text(schema)
    if kind == "boolean":
        return "true or false"
    return f"{kind}{_bounds(schema)}" if kind in ("integer", "number") else str(kind)


def _text(schema: Schema) -> str:
    if _is_duration(schema):
        return "duration"
    return {"date-time": "instant", "date": "date", "time": "time"}.get(
        schema.get("format", ""), "text"
    )


def _is_duration(schema: Schema) -> bool:
    return str(schema.get("pattern", "")).endswith(_DURATION)


def _bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    words = {"minimum": "from", "exclusiveMinimum": "above"}
    words |= {"maximum": "up to", "exclusiveMaximum": "below"}
    said = [f"{word} {schema[key]:,}" for key, word in words.items() if key in schema]
    return f", {', '.join(said)}" if said else ""
