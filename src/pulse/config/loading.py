"""From a file to the configuration, or to every mistake in it at once."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pulse.config.document import Document, dotted
from pulse.config.mistakes import ConfigError, Mistake, Place
from pulse.config.suggestions import did_you_mean

Model = TypeVar("Model", bound=BaseModel)

_MAX_FILE_BYTES: Final = 1 << 20
_SECRET_IN_FILE: Final = "a secret does not belong in this file"
_SECRET_KEYS: Final = re.compile(r"(^|_)(secret|password|passwd|token|api_key|signing_key)$")
_SECRET_VALUES: Final = re.compile(r"^\s*(whsec_[A-Za-z0-9+/=]{8}|-----BEGIN [A-Z ]*PRIVATE KEY)")
_NOT_TO_REPEAT: Final = re.compile(r"secret|password|passwd|token|key|url|_env$")


def load(model: type[Model], path: Path) -> Model:
    """The configuration in a YAML file. Raises `ConfigError` with all of its mistakes."""
    shown = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "cannot be read"
        if isinstance(error, IsADirectoryError):
            reason = "is a directory, not a file"
        elif isinstance(error, PermissionError):
            reason = "no permission to read it"
        raise ConfigError([Mistake(0, 0, "", reason)], shown) from None
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError([Mistake(0, 0, "", "larger than 1 MB: no configuration is")], shown)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = Mistake(line, 1, "", "not UTF-8", "save the file as UTF-8")
        raise ConfigError([mistake], shown) from None
    return read(model, text, shown)


def read(model: type[Model], text: str, path: str = "configuration") -> Model:
    """The configuration in a YAML text. `path` is what its mistakes call the text."""
    document = Document(text)
    mistakes = [*document.mistakes, *_secrets_in(document)]
    try:
        config = model.model_validate(document.data)
    except ValidationError as error:
        told = {each.where for each in mistakes}
        for each in error.errors(include_url=False):
            if each["type"] == "too_short" and each["input"]:
                continue  # it has items, and their own mistakes are told
            mistake = _mistake(model, document, each)
            if mistake.where not in told or not mistake.where:
                mistakes.append(mistake)
    else:
        if not mistakes:
            return config
    raise ConfigError(mistakes, path)


def _secrets_in(document: Document) -> Iterator[Mistake]:
    for path, text in document.texts():
        if _SECRET_VALUES.match(text):
            line, column = document.position(path, of_key=False)
            key = str(path[-1])
            there = "here" if key.endswith("_env") else f"in {key}_env"
            use = f"put it in an environment variable and write the variable's name {there}"
            yield Mistake(line, column, dotted(path), _SECRET_IN_FILE, use)


# --- from pydantic's errors to mistakes -------------------------------------


def _mistake(model: type[BaseModel], document: Document, error: Any) -> Mistake:
    context = error.get("ctx", {})
    path, of_key = _path_in(document, error["loc"])
    if error["type"] == "extra_forbidden":
        of_key = True
        message, suggestion = _unknown_key(model, document, path)
    elif error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        path = (*path, context["discriminator"].strip("'"))
        message, suggestion = _tag(document, path, context)
    elif error["type"] == "missing":
        path, of_key = (*_path_in(document, error["loc"][:-1])[0], error["loc"][-1]), True
        message, suggestion = "is missing", None
        if document.has(path):
            message = "has no value"
    elif error["type"] == "pulse":
        message, suggestion = context["message"], context["suggestion"]
        if context["at"] is not None or context["or_at"] is not None:
            path = _told_path(document, error["loc"], context)
    else:
        message, suggestion = _in_words(error, path)
    line, column = document.position(path, of_key=of_key)
    return Mistake(line, column, dotted(path), message, suggestion)


def _path_in(document: Document, loc: tuple[str | int, ...]) -> tuple[Place, bool]:
    """The longest way of `loc` that the file knows, without what pydantic adds for itself.

    The second is whether the mistake is in the last key, not in its value.
    """
    path: Place = ()
    for part in loc:
        if document.has((*path, part)):
            path = (*path, part)
    unsaid = loc and not document.has(tuple(loc)) and loc[-1] == "[key]"
    return path, bool(unsaid)


def _told_path(document: Document, loc: tuple[str | int, ...], context: dict[str, Any]) -> Place:
    section = _path_in(document, loc[:-1])[0] if loc else ()
    first = (*section, *(context["at"] if context["at"] is not None else loc[-1:]))
    second = (*section, *(context["or_at"] or ()))
    return second if document.has(second) and not document.has(first) else first


def _tag(document: Document, path: Place, context: dict[str, Any]) -> tuple[str, str | None]:
    """What is wrong with the key that says which kind of section it is."""
    if not document.has(path):
        return "is missing", None
    choices = [each.strip(" '") for each in context.get("expected_tags", "").split(",")]
    expected = {"expected": ", ".join(map(repr, choices))}
    given = document.at(path)
    if not isinstance(given, str):
        return "must be a text", None
    return _in_words({"type": "literal_error", "ctx": expected, "input": given}, path)


def _unknown_key(model: type[BaseModel], document: Document, path: Place) -> tuple[str, str | None]:
    key = str(path[-1])
    allowed = _keys_at(model, path[:-1], document.at((*path[:-1], "kind")))
    if _SECRET_KEYS.search(key):
        named = [each for each in (f"{key}_env", f"{key}_file") if each in allowed]
        use = " or ".join(named) or "the setting that ends in _env"
        return (
            _SECRET_IN_FILE,
            f"put it in an environment variable or a file and name that in {use}",
        )
    if f"{key}_env" in allowed:
        return "unknown key", f'did you mean "{key}_env"?'
    if meant := did_you_mean(key, allowed):
        return "unknown key", meant
    elsewhere = [dotted(each) for each in _places_of(model, key)]
    if len(elsewhere) == 1:
        return "unknown key", f'did you mean "{elsewhere[0]}"?'
    known = ", ".join(allowed)
    return "unknown key", f"known here: {known}" if allowed else None


def _in_words(error: Any, path: Place) -> tuple[str, str | None]:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    got = "" if _is_private(path) else f", not {_shown(value)}"
    expected = _EXPECTED.get(kind)
    if expected:
        return f"must be {expected}{got}", _quotes(kind, value)
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"])
        choices = ", ".join(known[:-1]) + " or " + known[-1] if len(known) > 1 else known[0]
        meant = did_you_mean(value, known) if isinstance(value, str) else None
        return f"must be {choices}{got}", meant
    bounds = {
        "greater_than": ("more than", "gt"),
        "greater_than_equal": ("at least", "ge"),
        "less_than": ("less than", "lt"),
        "less_than_equal": ("at most", "le"),
    }
    if kind in bounds:
        words, name = bounds[kind]
        return f"must be {words} {context[name]:g}{got}", None
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], f"must match {context['pattern']}") + got, None
    if kind == "string_too_short":
        return "must not be empty", None
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters", None
    if kind == "too_short":
        return "must not be an empty list", None
    if kind == "too_long":
        return f"must have at most {context['max_length']} items", None
    return str(error["msg"]), None


_EXPECTED: Final = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "invalid_key": "a text",
    "tuple_type": "a list (lines that begin with -)",
    "model_type": "a section (key: value)",
    "dict_type": "a section (key: value)",
    "model_attributes_type": "a section (key: value)",
}

_PATTERNS: Final = {
    r"^properties(\.[^.\s]+)+$": "must be a path like properties.feature",
    r"^[a-z0-9-]{1,64}$": "must be 1 to 64 small letters, digits and hyphens",
    r"^[a-z][a-z0-9_]{0,63}$": "must be small letters, digits and underscores, a letter first",
    r"^[A-Za-z0-9._-]{1,249}$": "must be a topic name: letters, digits, . _ -",
    r"^[A-Za-z0-9._-]{1,200}$": "must be letters, digits, . _ -",
}


def _quotes(kind: str, value: Any) -> str | None:
    if kind == "string_type" and isinstance(value, (int, float)):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if kind in ("int_type", "float_type") and isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return None
        return "leave the quotes out"
    if kind == "bool_type" and isinstance(value, str):
        words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
        meant = words.get(value.lower())
        return f"did you mean {meant}?" if meant else None
    if kind == "tuple_type" and isinstance(value, str):
        return "put it in brackets: [ ]"
    return None


def _is_private(path: Place) -> bool:
    return any(isinstance(part, str) and _NOT_TO_REPEAT.search(part) for part in path[-1:])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value[:40]}…"' if len(value) > 40 else f'"{value}"'
    if isinstance(value, (int, float)):
        return str(value)[:40]
    if isinstance(value, dict):
        return "a section"
    return "a list"


# --- what the models allow where ---------------------------------------------


def _keys_at(model: type[BaseModel], path: Place, kind: object = None) -> list[str]:
    """The keys the section at a path may have; none where the path leads nowhere.

    Of sections that are told apart by `kind`, the one of that kind.
    """
    sections = [model]
    for part in path:
        found: list[type[BaseModel]] = []
        for section in sections:
            for key, field in section.model_fields.items():
                if isinstance(part, str) and (field.alias or key) == part:
                    found += models_in(field.annotation)
        # An index, or a name that somebody chose: the items are of the same section.
        sections = found or sections
    of_kind = [each for each in sections if kind in _kinds(each)]
    sections = of_kind or sections
    return list(dict.fromkeys(key for section in sections for key in _keys(section)))


def _kinds(section: type[BaseModel]) -> tuple[object, ...]:
    field = section.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _keys(section: type[BaseModel]) -> Iterable[str]:
    return (field.alias or name for name, field in section.model_fields.items())


def models_in(annotation: Any) -> tuple[type[BaseModel], ...]:
    """The sections an annotation has in it, like that of `tuple[ScoreRule, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(each for part in get_args(annotation) for each in models_in(part))


def _places_of(model: type[BaseModel], key: str, path: Place = ()) -> Iterator[Place]:
    """Where the configuration knows a key, outside of lists."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        if here[-1] == key:
            yield here
        if isinstance(field.annotation, type):
            for section in models_in(field.annotation):
                yield from _places_of(section, key, here)
