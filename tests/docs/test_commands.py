"""The commands of the README, the tutorial and the how-tos do what is said of them.

Which page is followed where says `FOLLOWED`. Pages that need Kafka, or take long, are followed by
`tests/integration/test_documented_commands.py`.
"""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pulse.processes import free_port

from .commands import NOT_RUN, PAGES, ROOT, Block, Place, blocks, compare, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)

FOLLOWED = {
    "README.md": "here",
    "docs/tutorial.md": "here",
    "docs/howto/receiver.md": "in a copy of the sources",
    "docs/howto/signal.md": "in a copy of the sources",
    "docs/howto/run.md": "on Kafka",
    "docs/howto/segment.md": "on Kafka",
    "docs/howto/calibrate.md": "where there is time",
}

TESTS = ("tests/unit/signals", "tests/conftest.py", "tests/browsing.py")
COPIED = ("src", "deploy", *TESTS, "pyproject.toml")
LINKED = ("examples", "deploy", "schemas")


def pages(where: str) -> list[str]:
    return [page for page, followed in FOLLOWED.items() if followed == where]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A folder as a checkout is, without the sources."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    found = Place(tmp_path, {"8099": str(free_port())})
    yield found
    found.close()


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Place]:
    """A copy of the sources, with nothing compiled, which may be changed."""
    without = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", ".compiled")
    for name in COPIED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=without)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    found = Place(tmp_path, {"8099": str(free_port())})
    found.environ["PYTHONPATH"] = str(tmp_path / "src")
    yield found
    found.close()


def test_every_page_is_followed_somewhere() -> None:
    assert {str(page.relative_to(ROOT)) for page in PAGES} == set(FOLLOWED)


def test_nothing_is_left_out_without_a_reason() -> None:
    assert [each for page in PAGES for block in blocks(page) for each in unknown(block)] == []


def test_no_reason_is_of_a_command_that_is_gone() -> None:
    said = {
        line.split("#")[0].strip()
        for page in PAGES
        for block in blocks(page)
        if (block.language, block.word) == ("console", "not-run")
        for line in block.text.splitlines()
    }

    assert said == set(NOT_RUN)


@pytest.mark.parametrize("page", pages("here"))
def test_a_page_does_what_it_says(page: str, place: Place) -> None:
    place.follow(ROOT / page)


@pytest.mark.parametrize("page", pages("in a copy of the sources"))
def test_a_page_that_changes_the_sources_does_what_it_says(page: str, copy: Place) -> None:
    assert copy.follow(ROOT / page) >= 1


# -- whether it would be noticed -----------------------------------------------------------------


def block(language: str, word: str, text: str) -> Block:
    return Block(ROOT / "README.md", 1, language, word, text)


def page_of(folder: Path, text: str) -> Path:
    file = folder / "page.md"
    file.write_text(text)
    return file


def test_a_command_that_fails_is_noticed(place: Place) -> None:
    page = page_of(place.folder, "```console\nfalse\ntrue\n```\n")

    with pytest.raises(AssertionError, match="ended with 1"):
        place.follow(page)


def test_a_server_that_ends_is_noticed(place: Place) -> None:
    ended = "```console later\ngrep gone server-1.log\n```\n```console\nsleep 1\n```\n"
    page = page_of(place.folder, f"```console server\necho gone\n```\n{ended}")

    with pytest.raises(AssertionError, match="has ended"):
        place.follow(page)


def test_what_nobody_knows_is_refused() -> None:
    assert unknown(block("console", "perhaps", "true\n")) != []
    assert unknown(block("console", "not-run", "rm -r /\n")) != []
    assert unknown(block("console", "not-run", "make demo   # see it\n")) == []


def test_another_output_than_is_shown_is_noticed() -> None:
    shown = block("text", "", "first: 12 s\n…\nlast\n")
    compare(shown, "first: 3.4 s\nbetween\nlast\n")

    for printed in (
        "first: 3 s\nbetween\n",
        "first: 3 s\nlast\nmore\n",
        "before\nfirst: 1 s\nlast\n",
    ):
        with pytest.raises(AssertionError):
            compare(shown, printed)
