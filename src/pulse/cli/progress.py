"""A progress bar over files, on stderr, for people only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def file_progress(what: str, total_bytes: int | None) -> Iterator[Callable[[int, str], None]]:
    """A bar while files are read; nothing where stderr is no terminal.

    What it gives is called with the bytes read so far and a few words, as often as one likes.
    Without a total it moves without saying how far it is.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda read_bytes, words: None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=total_bytes, words="")
        yield lambda read_bytes, words: bar.update(task, completed=read_bytes, words=words)


@contextmanager
def step_progress(what: str, steps: int) -> Iterator[Callable[[], None]]:
    """A bar over steps; what it gives is called after each."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(
        *columns, TimeRemainingColumn(compact=True), console=console, transient=True
    ) as bar:
        task = bar.add_task(what, total=steps)
        yield lambda: bar.advance(task)
