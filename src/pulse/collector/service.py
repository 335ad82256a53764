"""What the endpoints of all dialects share: keys, limits, and Kafka's word."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pulse.collector.body import Room, read
from pulse.collector.keys import key_of
from pulse.collector.rates import Rates
from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from fastapi import Request

    from pulse.collector.keys import KeyRing
    from pulse.collector.links import Links
    from pulse.collector.meaning import Meant
    from pulse.collector.metrics import CollectorMetrics
    from pulse.collector.sink import Sink
    from pulse.config import Collector


class Service:
    """What the endpoints share."""

    def __init__(
        self, config: Collector, keys: KeyRing, links: Links, sink: Sink, metrics: CollectorMetrics
    ) -> None:
        self.config = config
        self.keys = keys
        self.links = links
        self.sink = sink
        self.metrics = metrics
        self.rates = Rates(config.events_per_second)
        self._room = Room(max(config.buffer_bytes, config.max_body_bytes))

    async def read(self, request: Request, *, is_known: bool = False) -> bytes:
        """A request's body, within its limits. Raises `Refusal` (400, 408, 413, 415, 503).

        `is_known`: its head had a write key that holds.
        """
        config = self.config
        room = None if is_known or self._is_known(request) else self._room
        return await read(request, config.max_body_bytes, config.body_timeout_s, room)

    def _is_known(self, request: Request) -> bool:
        """Whether its head has a write key that holds."""
        said = request.headers.get("authorization")
        return said is not None and self.keys.find(key_of(said, {})) is not None

    def source_of(self, key: str) -> str:
        """The source that a write key is of. Raises `Refusal` (401)."""
        if not key:
            raise Refusal(401, "no_key", "a write key is needed; `pulse keys make` makes one")
        found = self.keys.find(key)
        if found is None:
            raise Refusal(401, "bad_key", "the write key is not known, or was revoked")
        return found.source

    async def take(self, dialect: str, meant: Meant) -> None:
        """Write what was meant; return when Kafka has it. Raises `Refusal` (429, 503)."""
        looked_at = len(meant.lines) + len(meant.letters) + len(meant.refused)
        self.rates.take(meant.source, looked_at + meant.passed_over)
        began = time.perf_counter()
        hides = self.links.privacy
        lines = hides.lines(meant.lines)
        letters = [hides.letter(each) for each in meant.letters]
        news = self.links.take_news()
        try:
            await self.sink.put(lines, letters, news)
        except Refusal:
            self.links.put_back(news)
            raise
        of = self.metrics.of(dialect)
        of.took.observe(time.perf_counter() - began)
        of.events.inc(len(meant.lines))
        if meant.passed_over:
            of.passed_over.inc(meant.passed_over)
        for letter in meant.letters:
            self.metrics.letters.labels(dialect, letter.reason).inc()
        for bad in meant.refused:
            self.metrics.refused.labels(dialect, bad.reason).inc()
