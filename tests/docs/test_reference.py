"""The reference is what the code says, and leaves nothing out."""

from __future__ import annotations

import doctest
import re
from typing import TYPE_CHECKING

import pytest

from deploy.reference import markdown, shapes
from deploy.reference.__main__ import FOLDER, pages, stale
from deploy.reference.shapes import forms_of, model_of
from pulse.config import Config
from pulse.schemas import schema_of
from pulse.topics.records import RECORDS

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

MADE = pages()


def test_the_pages_are_what_the_code_says() -> None:
    assert stale(FOLDER) == [], "run: make reference"


def test_a_page_that_is_changed_missing_or_too_much_is_noticed(tmp_path: Path) -> None:
    for name, text in MADE.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert stale(tmp_path) == []

    (tmp_path / "topics.md").write_text("by hand", encoding="utf-8")
    (tmp_path / "cli.md").unlink()
    (tmp_path / "former.md").write_text("", encoding="utf-8")
    assert stale(tmp_path) == ["cli.md", "former.md", "topics.md"]


@pytest.mark.parametrize("module", [markdown, shapes])
def test_its_examples_are_right(module: ModuleType) -> None:
    result = doctest.testmod(module)

    assert result.failed == 0
    assert result.attempted > 0


def test_every_setting_is_there_with_a_meaning() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|.*\| ([^|]*) \|$", MADE["configuration.md"], re.MULTILINE)
    places = [place for place, _ in rows]
    models = schema_of("config")["$defs"]
    names = {name for model in models.values() for name in model["properties"]}

    names.remove("kind")  # a heading of its own for each

    assert names <= {place.rpartition(".")[2] for place in places}
    assert len(places) > 300
    assert [place for place, meaning in rows if not meaning.strip()] == []


def test_every_section_that_a_setting_refers_to_is_there() -> None:
    text = MADE["configuration.md"]
    for place in re.findall(r"as `([^`]+)`", text):
        assert f"| `{place}." in text, place


def test_every_topic_says_what_its_records_are() -> None:
    assert set(RECORDS) == set(Config().kafka.topics.model_dump())


def test_every_link_within_a_page_leads_somewhere() -> None:
    for name, text in MADE.items():
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        dead = set(re.findall(r"\]\(#([^)]+)\)", text)) - anchors
        assert dead == set(), name


def test_no_heading_of_the_api_stands_there_twice() -> None:
    headings = re.findall(r"^### (.+)$", MADE["api.md"], re.MULTILINE)

    assert sorted(set(headings)) == sorted(headings)


def test_a_form_that_may_be_missing_is_told_by_what_it_is() -> None:
    schema = {"anyOf": [{"$ref": "#/$defs/Line"}, {"type": "null"}]}

    assert [model_of(each) for each in forms_of(schema)] == ["Line"]
