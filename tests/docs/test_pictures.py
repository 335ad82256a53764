"""The pictures of the documentation, which `make pictures` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
NAMES = ("today.png", "today-dark.png", "today-phone.png", "account.png", "account-dark.png")
MOST_BYTES = 200 << 10
"""A reader on a phone loads them, too."""


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_there_and_small(name: str) -> None:
    content = (FOLDER / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    assert len(content) <= MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_in_a_document(name: str) -> None:
    documents = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    assert any(f"pictures/{name}" in each.read_text() for each in documents)


def test_there_is_no_other() -> None:
    assert {each.name for each in FOLDER.iterdir()} == set(NAMES)
