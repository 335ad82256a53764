"""Sends one receiver's notifications as they fall due, a bounded number at a time."""

import asyncio
import heapq
import math
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from itertools import count
from typing import Any

import structlog

from pulse.alerting.records.delivery import Delivery
from pulse.notifier.clock import Clock
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.outbox import Outbox
from pulse.notifier.reading.lease import Lease
from pulse.notifier.receiver import (
    Attempt,
    Notification,
    Outcome,
    Receiver,
    ReceiverSettings,
    Verdict,
)
from pulse.notifier.sending import retry
from pulse.notifier.sending.breaker import Breaker
from pulse.notifier.tasks import Tasks
from pulse.notifier.turns import Started

log = structlog.get_logger("pulse.notifier")

Open = Callable[[Started], Awaitable[Notification | None]]
"""Called when an attempt begins: what is to be sent; None where its alerts are nowhere any more."""

Finish = Callable[[Outbox, Delivery, Attempt, Outcome], Awaitable[None]]
"""Called when an attempt has ended: takes the delivery out of flight, records, schedules."""


_OURS = frozenset({"bug", "alert_lost"})
"""Failures that say nothing of the endpoint."""


class Courier:
    """One receiver's queue.

    A throttled endpoint is left alone for as long as it asked, then met with half as many requests
    at once; each success permits one more. One that fails again and again is tried now and then
    (`breaker`); meanwhile the others' schedules stand still.
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        receiver: Receiver,
        clock: Clock,
        lease: Lease,
        metrics: NotifierMetrics,
        open_: Open,
        finish: Finish,
        tasks: Tasks,
    ) -> None:
        self.settings = settings
        self.disabled = False
        self.breaker = Breaker()
        self._receiver = receiver
        self._clock = clock
        self._lease = lease
        self._seconds = metrics.attempt_seconds.labels(settings.name)
        self._broken = metrics.circuit_open.labels(settings.name)
        self._open = open_
        self._finish = finish
        self._tasks = tasks
        # When it is due, an order of arrival, and which one: an entry that is overtaken by a newer
        # state of its delivery is found out when its turn comes.
        self._later: list[tuple[int, int, Outbox, str]] = []
        self._due: deque[tuple[int, Outbox, str]] = deque()
        self._order = count()
        self._attempts: set[asyncio.Task[None]] = set()
        self._at_once = settings.concurrency
        self._held_until_ms = 0
        self._free_ms = 0.0
        """When the next request may begin, by the receiver's rate."""
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether nothing would be sent now, whatever waits: it is away, or asked for a while."""
        return self.breaker.is_open or self._clock.now_ms() < self._held_until_ms

    def start(self) -> None:
        """Begin to send; the event loop must run."""
        self._task = self._tasks.start(self._run(), f"courier {self.settings.name}")

    async def stop(self) -> None:
        """Send nothing more; attempts under way are cancelled."""
        for task in (self._task, *self._attempts):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._receiver.close()

    def schedule(self, outbox: Outbox, delivery: Delivery) -> None:
        """Send it when it falls due, unless something newer is known of it by then."""
        if delivery.next_ms is not None:
            entry = (delivery.next_ms, next(self._order), outbox, delivery.id)
            heapq.heappush(self._later, entry)
            self._wake.set()

    async def leave(self, within_s: float) -> None:
        """Let attempts end by themselves, within that time; cancel the rest.

        The outbox is revoked already: nothing new begins.
        """
        tasks = tuple(self._attempts)
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=within_s)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        self._later = [entry for entry in self._later if not entry[2].revoked]
        heapq.heapify(self._later)
        self._due = deque(entry for entry in self._due if not entry[1].revoked)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now_ms = self._clock.now_ms()
            self._start_what_is_due(now_ms)
            await self._wait(now_ms)

    def _start_what_is_due(self, now_ms: int) -> None:
        while self._later and self._later[0][0] <= now_ms:
            due_ms, _, outbox, delivery_id = heapq.heappop(self._later)
            self._due.append((due_ms, outbox, delivery_id))
        if self.disabled or not self._lease.held:
            return
        at_once = 1 if self.breaker.is_open else self._at_once
        while self._due and len(self._attempts) < at_once and self._free_at_ms() <= now_ms:
            due_ms, outbox, delivery_id = self._due.popleft()
            started = outbox.begin(delivery_id, due_ms, now_ms)
            if started is not None:
                if self.settings.rate is not None:
                    requests = len(started.wanted) if self.settings.per_alert else 1
                    self._free_ms = (
                        max(self._free_ms, now_ms) + 1000 * requests / self.settings.rate
                    )
                task = self._tasks.start(self._attempt(outbox, started), f"attempt {delivery_id}")
                self._attempts.add(task)
                task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._attempts.discard(task)
        self._wake.set()

    async def _wait(self, now_ms: int) -> None:
        """Until something was scheduled or has ended, or the next one falls due.

        `now_ms`: when it was looked at. By a later look the instant that is to be waited for may
        have passed, and nothing would be waited for.
        """
        until_ms = self._later[0][0] if self._later else None
        free_ms = self._free_at_ms()
        if self._due and now_ms < free_ms:
            until_ms = min(until_ms or free_ms, free_ms)
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(self._wake.wait())]
        if until_ms is not None:
            sleep_s = max(0.0, (until_ms - self._clock.now_ms()) / 1000)
            waiting.append(asyncio.create_task(self._clock.sleep(sleep_s)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()

    def _free_at_ms(self) -> int:
        """When the next request may begin."""
        return max(self._held_until_ms, self.breaker.until_ms, math.ceil(self._free_ms))

    async def _attempt(self, outbox: Outbox, started: Started) -> None:
        delivery = started.delivery
        try:
            opened = await self._opened(started)
            attempt = Attempt(number=delivery.attempts + 1, at_ms=self._clock.now_ms())
            if isinstance(opened, Outcome):
                outcome = opened
            else:
                with self._seconds.time():
                    outcome = await self._send(opened, attempt)
            self._adapt(outcome)
            await self._finish(outbox, delivery, attempt, outcome)
        finally:
            outbox.in_flight.discard(delivery.id)

    async def _opened(self, started: Started) -> Notification | Outcome:
        try:
            notification = await self._open(started)
        except Exception:
            # The attempt has begun: without an end its group would say nothing any more.
            log.exception("a notification cannot be opened", id=started.delivery.id)
            return Outcome(Verdict.RETRY, "bug")
        return Outcome(Verdict.RETRY, "alert_lost") if notification is None else notification

    async def _send(self, notification: Notification, attempt: Attempt) -> Outcome:
        try:
            return await self._receiver.send(notification, attempt)
        except Exception:
            log.exception("a receiver raised", receiver=self.settings.name, id=notification.id)
            return Outcome(Verdict.RETRY, "bug")

    def _adapt(self, outcome: Outcome) -> None:
        self._judge(outcome)
        if outcome.verdict is Verdict.DELIVERED:
            self._at_once = min(self._at_once + 1, self.settings.concurrency)
        elif outcome.verdict is Verdict.THROTTLED:
            self._at_once = max(self._at_once // 2, 1)
            if outcome.retry_after_s is not None:
                wait_s = retry.hold_s(self.settings, outcome.retry_after_s)
                until_ms = self._clock.now_ms() + round(1000 * wait_s)
                self._held_until_ms = max(self._held_until_ms, until_ms)

    def _judge(self, outcome: Outcome) -> None:
        """Note whether the endpoint answers."""
        before, name = self.breaker.is_open, self.settings.name
        if outcome.verdict is Verdict.DELIVERED:
            self.breaker.succeeded()
            if before:
                log.info("receiver answers again", receiver=name)
        elif outcome.reason not in _OURS and outcome.http_status != HTTPStatus.TOO_MANY_REQUESTS:
            # Who says that it is too much is there, and is left alone for as long as it asks.
            self.breaker.failed(self._clock.now_ms())
            if self.breaker.is_open and not before:
                log.warning(
                    "receiver fails again and again; one attempt is made now and then",
                    receiver=name,
                    reason=outcome.reason,
                )
        self._broken.set(self.breaker.is_open)
