"""What the documentation names is there: paths, make targets, commands, modules."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import typer.main

import pulse.cli

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Made by set-up or by the tests, not kept in the repository.
MADE = (".venv", ".cache")
ENDINGS = "py|md|yaml|yml|toml|json|sh|xml|lock|svg|png|html|cfg|txt"


class Mention(NamedTuple):
    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.text}"


def code(page: Path) -> Iterator[Mention]:
    """Every `code` span, and every line of a fenced block without its prompt."""
    fenced = False
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced:
            yield Mention(page, number, line.strip().removeprefix("$ "))
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield Mention(page, number, span)


def links(page: Path) -> Iterator[Mention]:
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        for target in re.findall(r"\]\(([^)#\s]+)", line):
            if "://" not in target and not target.startswith("mailto:"):
                yield Mention(page, number, target)


ALL_CODE = [mention for page in PAGES for mention in code(page)]


def is_repository_path(text: str) -> bool:
    """Whether a code span means a file or folder here, not a URL, a topic or a place elsewhere."""
    if not re.fullmatch(r"\.?[\w][\w./-]*", text) or "/" not in text:
        return False
    first = text.split("/")[0]
    return (ROOT / first).is_dir() or bool(re.search(rf"\.({ENDINGS})$", text))


def test_every_path_exists() -> None:
    missing = []
    for mention in ALL_CODE:
        path = mention.text
        if not is_repository_path(path) or path.startswith(MADE):
            continue
        places = (ROOT, mention.page.parent, ROOT / "src" / "pulse")
        if not any((place / path).exists() for place in places):
            missing.append(str(mention))

    assert missing == []


def test_every_link_leads_somewhere() -> None:
    dead = [
        str(mention)
        for page in PAGES
        for mention in links(page)
        if not (page.parent / mention.text).exists()
    ]

    assert dead == []


def anchors(page: Path) -> set[str]:
    """What links may name of a page: its headings, as GitHub makes anchors of them."""
    outside = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", outside, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w -]", "", plain).replace(" ", "-"))
    again = [f"{each}-{found[:at].count(each)}" for at, each in enumerate(found)]
    return {*found, *again}


def test_every_anchor_is_a_heading() -> None:
    dead = [
        f"{page.relative_to(ROOT)}: {target}#{anchor}"
        for page in PAGES
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text())
        if "://" not in target
        and anchor not in anchors(page if not target else (page.parent / target).resolve())
    ]

    assert dead == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    led_to = {(index.parent / mention.text).resolve() for mention in links(index)}

    assert [page for page in PAGES if page != index and page not in led_to] == []


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = [
        str(mention)
        for mention in ALL_CODE
        if mention.text.startswith("make ")
        for word in mention.text.split("#")[0].split()[1:]
        if re.fullmatch(r"[a-z][a-z-]*", word) and word not in targets
    ]

    assert missing == []


def test_every_command_and_its_options_exist() -> None:
    wrong = []
    for mention in ALL_CODE:
        match = re.match(r"(?:\.venv/bin/)?pulse (.*)", mention.text)
        if match and (reason := unknown_part(match[1].split("#")[0].split())):
            wrong.append(f"{mention}: {reason}")

    assert wrong == []


def unknown_part(words: list[str]) -> str | None:
    """The first word that the command line would not know, or None."""
    command = typer.main.get_command(pulse.cli.app)
    words = list(words)
    while (commands := getattr(command, "commands", None)) is not None:
        if not words or words[0].startswith("-"):
            break
        name = words.pop(0)
        if name not in commands:
            return f"no command {name}"
        command = commands[name]
    known = {"--help"} | {
        option
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for word in words:
        option = word.split("=")[0]
        if option.startswith("--") and option not in known:
            return f"no option {option}"
    return None


def modules_on_the_way_of_an_event() -> list[str]:
    readme = (ROOT / "README.md").read_text()
    section = re.search(r"^## The way of an event$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.S)
    assert section, "the README draws the way of an event"
    rows = [line.strip("| ").split("|") for line in section[1].splitlines() if line[:1] == "|"]
    assert [cell.strip() for cell in rows[0]] == ["step", "module"]
    return sorted({name for row in rows[2:] for name in re.findall(r"`([\w.]+)`", row[-1])})


def test_every_step_of_the_way_names_its_module() -> None:
    assert len(modules_on_the_way_of_an_event()) >= 8


@pytest.mark.parametrize("module", modules_on_the_way_of_an_event())
def test_a_module_on_the_way_of_an_event_exists(module: str) -> None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    exists = spec is not None and spec.origin is not None  # a folder alone has no origin

    assert exists
