"""What is played, in which order: the lines of files and the ticks between them.

The order of the files is kept, also where their times go back. The ticks are `HistoryClock`'s, so
whoever plays the same files, here or into Kafka, has the same clock in front of every line.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.engine.ticks import HistoryClock
from pulse.model.instants import to_ms
from pulse.model.wire import MAX_TS_MS, BadLine, Decoder, Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pulse.playback.lines import FileLine

_CHUNK: Final = 500
"""Lines decoded at once."""


class Cue(NamedTuple):
    """The next thing to play: a tick, then a line.

    Either may be missing: most lines need no tick, and the play ends with a tick alone. A line
    that nobody can read as an event has no account and no time.
    """

    tick_ms: int | None
    line: FileLine | None
    account_id: str | None = None
    at_ms: int | None = None


class Script:
    """The cues for some lines. Iterate once; the counts are right when that is over.

    `until_ms` ends the clock there: later events are left out. `now_ms` is the player's own now
    (by default the wall clock's): what claims to come from further ahead does not move the clock.
    """

    def __init__(
        self, lines: Iterable[FileLine], *, until_ms: int | None = None, now_ms: int | None = None
    ) -> None:
        self._lines = lines
        self._until_ms = until_ms
        self._clock = HistoryClock(now_ms if now_ms is not None else time.time_ns() // 1_000_000)
        self._decoder = Decoder()
        self.left_out = 0
        """Events later than `until_ms`."""
        self.unreadable = 0
        """Lines that no one can read as an event."""
        self.first_ms: int | None = None
        """The time of the first event played."""
        self.last_ms: int | None = None
        """The latest time of an event played, as far as it moved the clock."""

    def __iter__(self) -> Iterator[Cue]:
        ticked = False
        until_ms, before = self._until_ms, self._clock.before
        for file_line, line in self._decoded():
            at_ms = -1 if line is None else _instant(line)
            if line is None or not 0 <= at_ms <= MAX_TS_MS:
                self.unreadable += 1
                yield Cue(None, file_line)
                continue
            if until_ms is not None and at_ms > until_ms:
                self.left_out += 1
                continue
            tick_ms = before(at_ms)
            if tick_ms is None and not ticked:
                # A wrong year at the very beginning: there must be a clock to find it wrong by.
                tick_ms = 0
            ticked = True
            if self.first_ms is None:
                self.first_ms = at_ms
            yield Cue(tick_ms, file_line, line.account_id, at_ms)
        self.last_ms = self._clock.furthest_ms
        end_ms = self.last_ms if until_ms is None else until_ms
        if end_ms is not None and (tick_ms := self._clock.last(end_ms)) is not None:
            yield Cue(tick_ms, None)

    def _decoded(self) -> Iterator[tuple[FileLine, Line | None]]:
        lines = iter(self._lines)
        while chunk := list(itertools.islice(lines, _CHUNK)):
            decoded = self._decoder.decode_lines([line.raw for line in chunk])
            if decoded is not None and len(decoded.lines) == len(chunk):
                yield from zip(chunk, decoded.lines, strict=True)
                continue
            for file_line in chunk:
                yield file_line, self._line_of(file_line.raw)

    def _line_of(self, raw: bytes) -> Line | None:
        line = self._decoder.decode_line(raw)
        return None if isinstance(line, BadLine) else line


def _instant(line: Line) -> int:
    """When an event happened (ms), -1 if it does not say so."""
    try:
        return to_ms(line.ts)
    except ValueError:
        return -1
