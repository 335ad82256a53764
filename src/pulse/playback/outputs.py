"""What came of a replay, as files: one JSON object a line, whole or not there at all."""

from __future__ import annotations

import base64
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

import msgspec

from pulse.errors import PulseError
from pulse.playback.lines import STDIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from pulse.playback.replay import Refused

STDOUT = STDIN
"""The file name that means standard output."""


class LineFile:
    """A file of lines that takes its name only when it is whole.

    Until `commit` it is a temporary file beside its place; leaving the `with` without `commit`
    removes it and leaves alone what was there before. `-` is standard output. Raises `PulseError`
    where it cannot be written.
    """

    def __init__(self, path: Path | str) -> None:
        self.name = str(path)
        self.lines = 0
        self._file: IO[bytes]
        self._temporary: Path | None = None
        if self.name == STDOUT:
            self._file = sys.stdout.buffer
            return
        place = Path(path)
        if place.is_dir():
            raise PulseError(f"cannot write {self.name}: it is a directory", hint="name a file")
        if place.exists() and not place.is_file():
            self._file = place.open("wb")  # /dev/stdout, a named pipe: it has no other name
            return
        try:
            number, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
            self._temporary = Path(name)
            self._file = os.fdopen(number, "wb")
        except OSError as error:
            raise self._cannot(error) from None

    def write(self, line: bytes) -> None:
        """Write a line; the line break is added."""
        try:
            self._file.write(line + b"\n")
        except BrokenPipeError:
            raise  # who read standard output went away
        except OSError as error:
            raise self._cannot(error) from None
        self.lines += 1

    def commit(self) -> None:
        """Make it the file of its name."""
        try:
            self._file.flush()
            if self._temporary is not None:
                os.fsync(self._file.fileno())
                # A temporary file is its owner's alone; others get what a new file has.
                mask = os.umask(0)
                os.umask(mask)
                self._temporary.chmod(0o666 & ~mask)
                self._temporary.replace(self.name)
                self._temporary = None
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._cannot(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            if self.name != STDOUT:
                self._file.close()
            if self._temporary is not None:
                self._temporary.unlink()

    def _cannot(self, error: OSError) -> PulseError:
        return PulseError(f"cannot write {self.name}: {(error.strerror or str(error)).lower()}")


def dump_line(each: Mapping[str, object]) -> bytes:
    """One JSON object for a line: the same bytes for the same content in the same order."""
    return msgspec.json.encode(each)


def dead_letter(refused: Refused) -> bytes:
    """A line of `--deadletter-out`. Bytes that are no UTF-8 are in `raw_base64`, not in `raw`.

    >>> from pulse.playback.lines import FileLine
    >>> from pulse.playback.replay import Refused
    >>> dead_letter(Refused(FileLine("a.ndjson", 7, b"{"), "not_json", "truncated")).decode()
    '{"file":"a.ndjson","line":7,"reason":"not_json","detail":"truncated","raw":"{"}'
    """
    raw = refused.line.raw
    letter: dict[str, object] = {
        "file": refused.line.file,
        "line": refused.line.number,
        "reason": refused.reason,
        "detail": refused.detail,
    }
    try:
        letter["raw"] = raw.decode()
    except UnicodeDecodeError:
        letter["raw_base64"] = base64.b64encode(raw).decode()
    return dump_line(letter)
