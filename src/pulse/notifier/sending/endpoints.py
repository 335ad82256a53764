"""Endpoints that get nothing any more: they said so, or have failed for days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from pulse.alerting.everybody.unreachable import AFTER_MS, REASON, unreachable_alert
from pulse.alerting.records.delivery import Endpoint, url_hash
from pulse.notifier.reading.arrival import Arrival
from pulse.notifier.receiver import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.notifier.clock import Clock
    from pulse.notifier.outbox import Outbox
    from pulse.notifier.receiver import Outcome
    from pulse.notifier.report import Reporter
    from pulse.notifier.sending.courier import Courier
    from pulse.notifier.state.journal import Journal

log = structlog.get_logger("pulse.notifier")

_WORTH_MS: Final = 3_600_000
"""What fails for so long is recorded: many fail now and then."""
_TOLD_WITHIN_MS: Final = 86_400_000


class Endpoints:
    """Disables endpoints, and knows since when they fail, over the couriers there are."""

    def __init__(
        self,
        couriers: Mapping[str, Courier],
        report: Reporter,
        clock: Clock,
        config_version: str,
    ) -> None:
        self._couriers = couriers
        self._report = report
        self._clock = clock
        self._config_version = config_version
        self._recorded: dict[str, tuple[int, int, int | None] | None] = {}
        """Receivers of which it is recorded that they fail: since when, and what of it they were
        idle."""

    def take_over(self, outbox: Outbox, journal: Journal) -> None:
        """Go on with what is recorded; what was said of another endpoint is not of this."""
        self._recorded = dict.fromkeys(journal.failing)
        outbox.emptied = lambda name: self._nothing_waits(outbox, name)
        untold: list[tuple[Endpoint, int | None]] = []
        for name, courier in self._couriers.items():
            is_of = url_hash(courier.settings.endpoint)
            failing, disabled = journal.failing.get(name), journal.endpoints.get(name)
            if failing is not None and failing.url_sha256 == is_of:
                self._goes_on_failing(outbox, courier, failing)
            if disabled is not None and disabled.url_sha256 == is_of:
                if not courier.disabled:
                    log.warning("receiver is disabled", receiver=name, why=disabled.why)
                self.disable(outbox, courier)
                since_ms = None if failing is None or disabled.why == "gone" else failing.at_ms
                untold.append((disabled, since_ms))
            elif courier.disabled:
                courier.disabled = False
                courier.breaker.succeeded()
                self._report.disabled(name, disabled=False)
        for endpoint, since_ms in untold:  # once it is known who else is disabled
            self._tell_once(outbox, endpoint, since_ms)

    def _goes_on_failing(self, outbox: Outbox, courier: Courier, failing: Endpoint) -> None:
        name, breaker = courier.settings.name, courier.breaker
        if outbox.waits(name) or failing.idle_since_ms is not None:
            breaker.since_ms, breaker.idle_ms = failing.at_ms, failing.idle_ms
            breaker.idle_since_ms = failing.idle_since_ms
        else:  # who sent the last of it died before it could say since when nothing is to be sent
            breaker.succeeded()
            self._fails_no_longer(outbox, name)

    def gone(self, outbox: Outbox, courier: Courier, outcome: Outcome) -> None:
        """An endpoint answered 410: nothing more is sent there; the other receivers are told."""
        log.error(
            "receiver answered 410 Gone and is disabled; it gets nothing until its address "
            "is changed or it is enabled again with `pulse notify --enable`",
            receiver=courier.settings.name,
        )
        self._disable(outbox, _endpoint(courier, self._clock.now_ms(), outcome, "gone"), None)

    def disable(self, outbox: Outbox, courier: Courier) -> None:
        """Send nothing more there; what was to be sent is recorded as disabled."""
        courier.disabled = True
        self._report.disabled(courier.settings.name, disabled=True)
        outbox.disable(courier.settings.name, self._clock.now_ms())

    def ended(self, outbox: Outbox, courier: Courier, outcome: Outcome) -> None:
        """An attempt has ended. An endpoint that has failed for days is disabled, and the other
        receivers are told.
        """
        name = courier.settings.name
        if courier.breaker.since_ms is None:
            self._fails_no_longer(outbox, name)
            return
        if outcome.verdict is Verdict.DELIVERED or courier.disabled:
            return
        now_ms = self._clock.now_ms()
        failing_ms = courier.breaker.failing_ms(now_ms)
        if failing_ms >= AFTER_MS:
            self._give_up(outbox, courier, outcome, now_ms)
        elif failing_ms >= _WORTH_MS:
            self._note_failing(outbox, courier)

    def _nothing_waits(self, outbox: Outbox, name: str) -> None:
        """The time until something is to be sent again says nothing of the endpoint. What failed
        before goes on where it was, until something is delivered: schedules may be shorter than it
        takes to be given up.
        """
        courier, now_ms = self._couriers.get(name), self._clock.now_ms()
        if courier is None or courier.disabled:
            return
        courier.breaker.nothing_waits(now_ms)
        if courier.breaker.failing_ms(now_ms) >= _WORTH_MS:
            self._note_failing(outbox, courier)

    def _note_failing(self, outbox: Outbox, courier: Courier) -> None:
        name, breaker = courier.settings.name, courier.breaker
        if breaker.since_ms is None:
            return
        now = breaker.since_ms, breaker.idle_ms, breaker.idle_since_ms
        if self._recorded.get(name) == now:
            return
        self._recorded[name] = now
        endpoint = Endpoint(
            receiver=name,
            url_sha256=url_hash(courier.settings.endpoint),
            at_ms=breaker.since_ms,
            why="failing",
            idle_ms=breaker.idle_ms,
            idle_since_ms=breaker.idle_since_ms,
        )
        outbox.note_failing(name, endpoint)

    def _fails_no_longer(self, outbox: Outbox, name: str) -> None:
        if name in self._recorded:
            del self._recorded[name]
            outbox.note_failing(name, None)

    def _give_up(self, outbox: Outbox, courier: Courier, outcome: Outcome, now_ms: int) -> None:
        name, since_ms = courier.settings.name, courier.breaker.since_ms or now_ms
        log.error(
            "receiver has failed for five days and is disabled; it gets nothing until its address "
            "is changed or it is enabled again with `pulse notify --enable`",
            receiver=name,
            reason=outcome.reason,
        )
        self._disable(outbox, _endpoint(courier, now_ms, outcome, "failing"), since_ms)

    def _disable(self, outbox: Outbox, endpoint: Endpoint, since_ms: int | None) -> None:
        """All that follows is recorded at once, the endpoint first."""
        outbox.note_endpoint(endpoint)
        self.disable(outbox, self._couriers[endpoint.receiver])
        self._fails_no_longer(outbox, endpoint.receiver)
        self._tell_once(outbox, endpoint, since_ms)

    def _tell_once(self, outbox: Outbox, endpoint: Endpoint, since_ms: int | None) -> None:
        """Tell the other receivers, unless they were: who recorded it may have died since."""
        if len(self._couriers) == 1:
            return  # there is nobody else: the log and the metric say it
        now_ms = self._clock.now_ms()
        alert = unreachable_alert(endpoint, since_ms, self._config_version)
        # After a while told alerts are forgotten, and are not told again.
        if now_ms - endpoint.at_ms < _TOLD_WITHIN_MS and not outbox.knows(alert.id):
            outbox.tell_others(Arrival(alert, alert.to_json(), endpoint.at_ms, REASON), now_ms)


def _endpoint(courier: Courier, at_ms: int, outcome: Outcome, why: str) -> Endpoint:
    return Endpoint(
        receiver=courier.settings.name,
        url_sha256=url_hash(courier.settings.endpoint),
        at_ms=at_ms,
        http_status=outcome.http_status,
        why=why,
        last=outcome.reason,
    )
