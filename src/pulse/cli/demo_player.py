"""The demo's player: a history into Kafka, years in a minute."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from pulse.errors import PulseError
from pulse.playback.emit import PlayProgress, PlaySettings, play
from pulse.playback.lines import Lines
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pulse.config import Config


class Player:
    """Plays a file of events, stretched or squeezed to last `seconds` altogether."""

    def __init__(self, file: Path, config: Config, seconds: float) -> None:
        self._file = file
        self._config = config
        self._seconds = seconds
        script = Script(Lines([file]))
        self.lines = sum(cue.line is not None for cue in script)
        """How many lines there are to play."""
        if script.first_ms is None or script.last_ms is None:
            raise PulseError(f"{file} has no events to play")
        self.first_ms: int = script.first_ms
        self.last_ms: int = script.last_ms

    async def play(self, played: Callable[[int], None]) -> None:
        """Play it; `played` is told how far that is, in event time."""
        loop = asyncio.get_running_loop()
        stop = threading.Event()

        def tell(progress: PlayProgress) -> None:
            if progress.at_ms is not None:
                loop.call_soon_threadsafe(played, progress.at_ms)

        speed = max(self.last_ms - self.first_ms, 1) / 1000 / self._seconds
        settings = PlaySettings(history=True, speed=speed)
        try:
            await asyncio.to_thread(
                play, self._config, Lines([self._file]), settings, on_progress=tell, stop=stop
            )
        finally:
            stop.set()
        played(self.last_ms)
