"""deploy/pulse.yaml is valid, shows the defaults, and leaves out no setting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulse.config import Config
from pulse.config.document import Document, dotted
from pulse.config.loading import models_in, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

EXAMPLE = Path(__file__).parents[3] / "deploy" / "pulse.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")


def with_examples(text: str) -> str:
    """The text with what is commented out switched on: `#key:`, but not `# prose`."""
    return re.sub(r"(?m)^( *)#(?=[^ \n#]|  )", r"\1", text)


def settings(
    model: type[BaseModel],
    path: tuple[str, ...] = (),
    around: tuple[type[BaseModel], ...] = (),
) -> Iterator[tuple[str, ...]]:
    """Every setting of a section and of those in it; `*` for an index or a chosen name.

    Of a section that stands in itself, as routes do, it is said once.
    """
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        yield here
        plain = isinstance(field.annotation, type)
        for section in models_in(field.annotation):
            # A union of forms (a target, one or none) has them all at the same place.
            chosen = () if plain or here[-1] in ("target", "by", "proxy_auth") else ("*",)
            if section not in (*around, model):
                yield from settings(section, (*here, *chosen), (*around, model))


def said_in(text: str) -> dict[tuple[str, ...], list[int]]:
    """The lines where a text says each setting."""
    document = Document(text)
    assert document.mistakes == []
    said: dict[tuple[str, ...], list[int]] = {}

    def walk(value: object, real: tuple[str | int, ...], path: tuple[str, ...]) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                chosen = path in {("segments",), ("usage", "active", "window")}
                here = (*path, "*" if chosen else str(key))
                line = document.position((*real, key), of_key=True)[0]
                said.setdefault(here, []).append(line)
                walk(inner, (*real, key), here)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, (*real, index), (*path, "*"))

    walk(document.data, (), ())
    return said


def explained(text: str, line: int) -> bool:
    """Whether a line, or one of the comment lines right above it, says what it is."""
    lines = text.splitlines()
    return bool(re.search(r"# \S", lines[line - 1])) or lines[line - 2].strip().startswith("# ")


def test_the_example_is_valid_and_shows_the_defaults() -> None:
    assert Config.load(EXAMPLE) == Config()


def test_the_example_shows_every_default() -> None:
    shown = set(said_in(TEXT))
    defaults = Document(Config().model_dump_json(exclude_defaults=False, exclude_none=True)).data

    def walk(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for key, inner in value.items() if isinstance(value, dict) else ():
            if inner not in ([], {}):
                yield (*path, key)
                yield from walk(inner, (*path, key))

    assert [dotted(path) for path in walk(defaults, ()) if path not in shown] == []


def test_the_examples_in_comments_are_valid() -> None:
    # Every example at once, but the passwords: they do not fit the protocol that stands there.
    section = re.compile(r"(?ms)^  security:.*?^$")
    text = with_examples(section.sub("", TEXT))
    assert len(section.findall(TEXT)) == 1

    config = read(Config, text)

    assert config.receivers[0].name == "customer-success"
    assert config.segments["enterprise"].line.dwell_ms == 2 * 86_400_000
    assert len(config.usage.ignore) == 3


# Twice: an alternative to an example is a comment in a comment.
WITH_ALL = with_examples(with_examples(TEXT))
EVERYTHING = said_in(WITH_ALL)


@pytest.mark.parametrize("setting", sorted(settings(Config)), ids=dotted)
def test_every_setting_is_documented(setting: tuple[str, ...]) -> None:
    # A segment's scorecard and its rules are those of all.
    same = ("scorecard", *setting[3:]) if setting[2:3] == ("scorecard",) else setting

    assert same in EVERYTHING, f"{dotted(setting)} is not in {EXAMPLE.name}"
    assert any(explained(WITH_ALL, line) for line in EVERYTHING[same])


def test_the_walk_finds_settings_at_every_depth() -> None:
    found = set(settings(Config))

    assert {
        ("clock",),
        ("kafka", "security", "ca_file"),
        ("scorecard", "*", "target", "per_seat"),
        ("segments", "*", "line", "dwell"),
        ("usage", "active", "window", "*", "value"),
        ("receivers", "*", "retry", "jitter"),
    } <= found
    assert len(found) > 100
