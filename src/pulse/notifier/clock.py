"""The notifier's time, injected so that tests turn it by hand (`pulse.testing.clock`)."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol


class Clock(Protocol):
    """What time it is, and waiting."""

    def now_ms(self) -> int:
        """Milliseconds UTC."""
        ...

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Return after so many seconds of this clock."""
        ...


class WallClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
