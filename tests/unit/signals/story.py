"""An account's story: what happens to it, in order, and the alerts that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.config import Config
from pulse.config.plays import Plays
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, MINUTE_MS
from pulse.model.time import format_ms, parse_ts
from pulse.testing.histories import profile, usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulse.model import Alert

HOUR_MS = 3_600_000
START_MS = parse_ts("2024-01-01T00:00:00Z")  # a Monday
DEFAULT_PLAYS = Plays()


def at(day: float) -> int:
    """The instant, days after the start."""
    return START_MS + round(day * DAY_MS)


def text(day: float) -> str:
    return format_ms(at(day))


def closed(at_ms: int) -> int:
    """When the minute closes that holds an instant."""
    return at_ms - at_ms % MINUTE_MS + MINUTE_MS


class Story:
    """Tells of the account `acme`, by the default configuration but for `settings`.

    Everything is told at its time: a tick goes before it.
    """

    def __init__(self, settings: dict[str, Any] | None = None, **engine: Any) -> None:
        self.policy = policy(Config.model_validate(settings or {}))
        self.play = Play(self.policy, **engine)
        self._number = 0

    def tick(self, at_ms: int) -> None:
        self.play.tick(at_ms)

    def line(self, event: str, at_ms: int, /, account: str = "acme", **fields: Any) -> bytes:
        """An event as it is sent; each has an id of its own."""
        self._number += 1
        return usage(f"e{self._number:06}", account, at_ms, event=event, **fields)

    def say(self, event: str, at_ms: int, /, **properties: Any) -> None:
        """An event that says something of the account."""
        self.tick(at_ms)
        self.play.add(self.line(event, at_ms, properties=properties))

    def know(self, at_ms: int, /, **facts: Any) -> None:
        """The profile."""
        self._number += 1
        self.tick(at_ms)
        self.play.add(profile(f"p{self._number}", "acme", at_ms, **facts))

    def use(
        self,
        at_ms: int,
        user: str = "ada",
        feature: str = "list",
        times: int = 1,
        event: str = "used",
    ) -> None:
        self.tick(at_ms)
        for _ in range(times):
            properties = {"feature": feature}
            self.play.add(self.line(event, at_ms, user_id=user, properties=properties))

    def live(
        self,
        first: int,
        end: int,
        *,
        users: Sequence[str] = ("ada", "bob", "cyd"),
        times: int = 1,
        worked: Callable[[int], bool] = lambda day: day % 7 < 5,
    ) -> None:
        """Days of use at ten o'clock, by default from Monday to Friday."""
        for day in range(first, end):
            if worked(day):
                for user in users:
                    self.use(at(day) + 10 * HOUR_MS, user, times=times)
            self.tick(at(day + 1) + 2_000)

    def alerts(self, reason: str | None = None) -> list[Alert]:
        alerts = self.play.outcome.alerts_in_order()
        return [alert for alert in alerts if reason in (None, alert.reason)]

    def told(self, reason: str | None = None) -> list[tuple[str, str, int]]:
        """Reason, what became of it, and when."""
        return [(a.reason, a.resolution or a.status, a.at) for a in self.alerts(reason)]

    def lifecycle(self) -> str:
        return str(self.play.status("acme")["lifecycle"])
