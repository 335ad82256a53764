"""Writes the reference: `python -m deploy.reference write`, at the top of a checkout.

`check` fails where a page is not what the code says.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulse.errors import PulseError

from .api import api
from .cli import cli
from .configuration import configuration
from .metrics import metrics
from .topics import topics

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Every page: the name of its file, and what is in it."""
    made = {
        "configuration": configuration(),
        "metrics": metrics(),
        "topics": topics(),
        "cli": cli(),
        "api": api(),
    }
    return {f"{name}.md": text for name, text in made.items()}


def stale(folder: Path) -> list[str]:
    """The pages in `folder` that are missing, not what the code says, or nothing that it says."""
    kept = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.md")}
    made = pages()
    return sorted(name for name in {*kept, *made} if kept.get(name) != made.get(name))


def main(arguments: Sequence[str]) -> None:
    """Run `write` or `check`. Raises `PulseError`."""
    if arguments == ["write"]:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (FOLDER / name).write_text(text, encoding="utf-8")
            print(f"docs/reference/{name}")
    elif arguments == ["check"]:
        if found := stale(FOLDER):
            raise PulseError(
                f"not what the code says: {', '.join(found)}", hint="run: make reference"
            )
    else:
        raise PulseError("say what to do", hint="write or check")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PulseError as error:
        sys.exit(error.for_terminal())
