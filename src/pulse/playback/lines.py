"""The lines of files, one after the other, never a whole file in memory."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDIN = "-"
"""The file name that means standard input."""

LONGEST_LINE = 16 << 20
"""Bytes of a line that are kept; no line a sixteenth as long is read as an event."""

_BUFFER = 1 << 18
"""Bytes read at once. Every read lets go of the interpreter's lock, which the thread that sends to
Kafka then holds for a while."""

_GZIP = b"\x1f\x8b"
_BLANKS = b" \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FileLine(NamedTuple):
    """A line: the file's name as it was given, its number in there (from 1), its bytes."""

    file: str
    number: int
    raw: bytes


class Lines:
    """The lines of several files in the order given, without line ends and blank lines.

    A file is gzipped if it begins as such, whatever its name. Iterate once. Raises `PulseError`
    where a file is missing, unreadable or damaged: missing ones before anything is read.
    """

    def __init__(self, paths: Sequence[Path | str]) -> None:
        self._names = [str(path) for path in paths]
        if self._names.count(STDIN) > 1:
            raise PulseError("- (standard input) is named twice; it can be read once")
        sizes = [None if name == STDIN else _size_of(name) for name in self._names]
        known = [size for size in sizes if size is not None]
        self.total_bytes = sum(known) if len(known) == len(sizes) else None
        """Size of all files as they lie on the disk; None if not known (standard input, a pipe)."""
        self._done_bytes = 0
        self._source: io.BufferedReader | None = None

    @property
    def read_bytes(self) -> int:
        """How much of `total_bytes` has been read so far, about."""
        if self._source is None or self.total_bytes is None:
            return self._done_bytes
        return self._done_bytes + self._source.tell()

    def __iter__(self) -> Iterator[FileLine]:
        for name in self._names:
            number = 0
            try:
                with _open(name) as source:
                    self._source = source
                    for number, raw in _lines_of(source):
                        yield FileLine(name, number, raw)
                    if self.total_bytes is not None:
                        self._done_bytes += source.tell()
                    self._source = None
            except (EOFError, gzip.BadGzipFile, zlib.error):
                raise PulseError(
                    f"{name} is damaged: its gzip data ends or breaks after line {number}",
                    hint=f"copy it again; `gzip -t {name}` must be silent",
                ) from None
            except OSError as error:
                raise _unreadable(name, error) from None


def read_lines(paths: Sequence[Path | str]) -> Iterator[FileLine]:
    """The lines of files, as `Lines` has them."""
    return iter(Lines(paths))


def _size_of(name: str) -> int | None:
    """Bytes of a file that can be read; None for a pipe. Raises `PulseError` if it cannot."""
    try:
        found = Path(name).stat()
        if stat.S_ISDIR(found.st_mode):
            raise PulseError(f"{name} is a directory", hint=f"name its files: {name}/*")
        if not stat.S_ISREG(found.st_mode):
            return None
        with Path(name).open("rb"):
            return found.st_size
    except OSError as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: OSError) -> PulseError:
    reason = (error.strerror or str(error)).lower()
    return PulseError(f"cannot read {name}: {reason}")


def _open(name: str) -> io.BufferedReader:
    raw = io.FileIO(0, closefd=False) if name == STDIN else io.FileIO(name)
    return io.BufferedReader(raw, _BUFFER)


def _lines_of(source: io.BufferedReader) -> Iterator[tuple[int, bytes]]:
    file = source
    if source.peek(len(_GZIP)).startswith(_GZIP):
        file = io.BufferedReader(gzip.GzipFile(fileobj=source), _BUFFER)
    number = 0
    while raw := file.readline(LONGEST_LINE):
        number += 1
        if len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
            _skip_line(file)
        if number == 1:
            raw = raw.removeprefix(_BYTE_ORDER_MARK)
        raw = raw.rstrip(b"\r\n")
        if raw.strip(_BLANKS):
            yield number, raw


def _skip_line(file: io.BufferedReader) -> None:
    while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
        pass
