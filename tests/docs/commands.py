"""Runs what a page of the documentation says, block by block, in a folder of its own.

A fenced block says by the word after its language what is done with it:

    console              run by bash; every command in it must succeed
    console server       each command is started, and must still run at the end
    console later        run again and again until it succeeds, and prints what is shown then: it
                         waits for what was done before
    console not-run      not run here: `NOT_RUN` says why, and what holds it instead
    text                 what the block before it printed; `…` stands for lines left out
    yaml|python FILE     a file that is written
    diff FILE            a change of a file: its lines with `+` are put behind those without

Blocks of other languages are for readers alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "docs" / "tutorial.md",
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
)
"""The pages whose commands are run."""

NOT_RUN: Final = {
    "make demo": "tests/e2e/test_demo.py runs `pulse demo`, which is all that it is",
    "make test": "it is what runs this",
    "make compile": "tests/conftest.py refuses a core that is older than its sources",
    "make schemas reference": "tests/unit/test_schemas.py and test_reference.py hold what it makes",
    "make check": "it runs this",
}
"""Commands of `not-run` blocks, and why they are not."""

_WORDS: Final = ("", "server", "later", "not-run")
_WITHIN_S: Final = 90
_MASKED: Final = (
    # How long something took, by which machine and when is another each time.
    (r"[\d,.]+ (s|ms|minutes?|seconds?)\b", "<time>"),
    (r"[\d,]+ (event|line)s? a second", "<rate>"),
    (r"\b(pk|pt)_[A-Za-z0-9_-]+", r"<\1>"),
)


class Block(NamedTuple):
    """A fenced block of a page; `line` is that of its first fence."""

    page: Path
    line: int
    language: str
    word: str
    text: str

    @property
    def place(self) -> str:
        return f"{os.path.relpath(self.page, ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    starts_at = None
    for number, line in enumerate(lines, start=1):
        if not line.startswith("```"):
            continue
        if starts_at is None:
            starts_at = number
            continue
        language, _, word = lines[starts_at - 1][3:].strip().partition(" ")
        text = "\n".join(lines[starts_at : number - 1]) + "\n"
        found.append(Block(page, starts_at, language, word, text))
        starts_at = None
    assert starts_at is None, f"{page.name}: a block without an end"
    return found


def unknown(block: Block) -> list[str]:
    """What of a block nobody would know what to do with."""
    if block.language != "console":
        return []
    if block.word not in _WORDS:
        return [f"{block.place}: console {block.word}"]
    said = [each.split("#")[0].strip() for each in block.text.splitlines()]
    return [
        f"{block.place}: {each} is not run, and nothing says why"
        for each in said
        if block.word == "not-run" and each not in NOT_RUN
    ]


class Place:
    """A folder in which pages are followed. What was started ends with `close`.

    `other` says what stands in the pages for readers and is something else here: addresses. `also`
    is what `pulse.yaml` says besides, section by section.
    """

    def __init__(
        self,
        folder: Path,
        other: Mapping[str, str] | None = None,
        also: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = folder
        self._other = dict(other or {})
        self._also = dict(also or {})
        self._servers: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self.environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
            "NO_COLOR": "1",
        }

    def follow(self, page: Path) -> int:
        """Do all that a page says; how many blocks were run."""
        printed, run = "", 0
        found = blocks(page)
        for block, behind in zip(found, [*found[1:], None], strict=True):
            assert unknown(block) == []
            if block.language == "console":
                shown = behind if behind is not None and behind.language == "text" else None
                printed = self._console(block, shown)
                run += block.word != "not-run"
            elif block.language == "text":
                compare(block, printed)
            elif block.language in ("yaml", "python", "diff") and block.word:
                self._write(block)
        for command, process, log in self._servers:
            assert process.poll() is None, f"{command} has ended:\n{log.read_text()[-3000:]}"
        return run

    def close(self) -> None:
        """End what was started."""
        for _, process, _ in self._servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for _, process, _ in self._servers:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._servers.clear()

    def here(self, text: str) -> str:
        """A text of a page with what is something else here."""
        for said, is_here in self._other.items():
            text = text.replace(said, is_here)
        return text

    def _console(self, block: Block, shown: Block | None) -> str:
        if block.word == "not-run":
            return ""
        text = self.here(block.text)
        if block.word == "server":
            for command in filter(None, text.splitlines()):
                self._start(command.split("#")[0].strip())
            return ""
        until_s = time.monotonic() + (_WITHIN_S if block.word == "later" else 0)
        while True:
            done = self._bash(text)
            is_late = time.monotonic() >= until_s
            printed = done.stdout + done.stderr
            if done.returncode == 0 and (is_late or shown is None or is_shown(shown, printed)):
                return printed
            if is_late:
                raise AssertionError(
                    f"{block.place} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
                )
            time.sleep(0.5)

    def _bash(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def _start(self, command: str) -> None:
        log = self.folder / f"server-{len(self._servers) + 1}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-euc", f"exec {command}"],
                cwd=self.folder,
                env=self.environ,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._servers.append((command, process, log))

    def _write(self, block: Block) -> None:
        file = self.folder / block.word
        file.parent.mkdir(parents=True, exist_ok=True)
        text = self.here(block.text)
        if block.language != "diff":
            file.write_text(text, encoding="utf-8")
            if self._also and block.word == "pulse.yaml":
                said = YAML(typ="safe").load(text)
                for section, settings in self._also.items():
                    said[section] = {**said.get(section, {}), **settings}
                YAML(typ="safe").dump(said, file)
            return
        content = file.read_text(encoding="utf-8")
        for old, new in changes(text):
            assert content.count(old) == 1, f"{block.place}: {content.count(old)} times:\n{old}"
            content = content.replace(old, new)
        file.write_text(content, encoding="utf-8")


def changes(text: str) -> Iterator[tuple[str, str]]:
    """The changes of a diff, separated by `@@`: what stood there, and what stands there then.

    >>> list(changes(" a\\n+b\\n@@\\n-c\\n+d\\n"))
    [('a\\n', 'a\\nb\\n'), ('c\\n', 'd\\n')]
    """
    for part in re.split(r"(?m)^@@.*\n", text):
        lines = part.splitlines(keepends=True)
        yield (
            "".join(line[1:] for line in lines if line[0] != "+"),
            "".join(line[1:] for line in lines if line[0] != "-"),
        )


def masked(text: str) -> list[str]:
    """The lines of what was printed, without what is another each time.

    >>> masked("12 events: 1.5 s, 8 events a second\\n")
    ['12 events: <time>, <rate>']
    """
    for pattern, instead in _MASKED:
        text = re.sub(pattern, instead, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def is_shown(block: Block, printed: str) -> bool:
    """Whether what was printed is what a page shows."""
    try:
        compare(block, printed)
    except AssertionError:
        return False
    return True


def compare(block: Block, printed: str) -> None:
    """Hold what a page shows against what was printed. Raises `AssertionError`."""
    got, at = masked(printed), 0
    parts = [masked(part) for part in re.split(r"(?m)^…\n", block.text)]
    for number, part in enumerate(parts):
        places = range(at, len(got) - len(part) + 1) if number else [0]
        found = next((here for here in places if got[here : here + len(part)] == part), None)
        assert found is not None, f"{block.place} shows\n{block.text}\nand this came:\n{printed}"
        at = found + len(part)
    if parts[-1]:
        assert at == len(got), f"{block.place} leaves out what came:\n{printed}"
