"""The few forms that the pages of the reference have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NOTE: Final = "<!-- Made from the code by `make reference`: what is changed here is lost. -->"


def page(title: str, about: str, *parts: str) -> str:
    """A page: what it is of, that nobody should write into it, and its parts."""
    return "\n\n".join([f"# {title}", NOTE, about, *(part for part in parts if part)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a line break or a bar within a cell does not break it. Empty without rows.

    >>> print(table(["what", "means"], [["`a|b`", "one\\nor other"]]))
    | what | means |
    |---|---|
    | `a\\|b` | one or other |
    """
    drawn = [_row(cells) for cells in rows]
    return "\n".join([_row(head), "|" + "---|" * len(head), *drawn]) if drawn else ""


def code(text: str) -> str:
    """Text as code; nothing where there is none."""
    return f"`{text}`" if text else ""


def flowing(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(flowing(cell).replace("|", "\\|") for cell in cells) + " |"
