"""What commands share with which people say something of alerts: until when, and where to."""

import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from pulse.cli.writing import CONNECT_S, done
from pulse.config import Config
from pulse.config.fields import duration_ms
from pulse.config.kafka_clients import for_aiokafka
from pulse.desk.books import AlertBook, KnownAlert, MutedBook, OutcomeBook
from pulse.desk.desk import Desk
from pulse.desk.notes import NoteBook
from pulse.errors import PulseError
from pulse.following import Follower
from pulse.model.time import MAX_DURATION_MS
from pulse.producer import Producer
from pulse.refusals import Refusal
from pulse.topics.broker import Brokers

T = TypeVar("T")

_ALERT_ID = re.compile(r"al_[0-9A-Za-z]{26}")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration, like pulse.yaml."),
]
Because = Annotated[str, typer.Option(metavar="TEXT", help="Why; others read it.")]


def lasting(text: str) -> int:
    """What an option like `--for 2d` says, in milliseconds; for typer's `parser`.

    >>> lasting("2d")
    172800000
    """
    try:
        return duration_ms(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no duration like 90m, 4h or 2d') from None


For = Annotated[
    int | None,
    typer.Option("--for", metavar="DURATION", parser=lasting, help="For so long, like 4h or 2d."),
]


def end_of(lasts_ms: int | None, until_ms: int | None, now_ms: int) -> int:
    """Until when, by `--for` or `--until`. Raises `PulseError`."""
    if (lasts_ms is None) == (until_ms is None):
        raise PulseError("it must end", hint="say --for 2d, or --until 2026-12-24")
    end_ms = now_ms + lasts_ms if lasts_ms is not None else until_ms or 0
    if not now_ms < end_ms <= now_ms + MAX_DURATION_MS:
        raise PulseError("it must end after now, and within 366 days")
    return end_ms


def now() -> int:
    """The time, in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def at_desk(
    config: Config, say: Callable[[Desk, MutedBook], Awaitable[T]], *, has_ended: bool = False
) -> T:
    """Say something, and return when Kafka has it. Raises `PulseError`.

    `has_ended`: the alert that it is about has.
    """
    kafka = config.kafka
    with Brokers(kafka, timeout_s=CONNECT_S) as brokers:
        topics = kafka.topics
        brokers.need(topics.silences, topics.outcomes, topics.notes, topics.events, topics.audit)

    async def work() -> T:
        muted, settings = MutedBook(), for_aiokafka(kafka)
        follower = Follower(settings, kafka.topics.silences, muted.take)
        producer = Producer(settings, idempotent=kafka.idempotence)
        try:
            await follower.start()
            desk = Desk(
                kafka,
                muted,
                OutcomeBook(),
                NoteBook(),
                producer.send,
                has_ended=lambda alert_id: has_ended,
                within_s=CONNECT_S,
            )
            return await say(desk, muted)
        except Refusal as refusal:
            raise PulseError(refusal.detail) from None
        finally:
            await follower.stop()
            await producer.stop()

    return done(work())


def alert_called(config: Config, alert_id: str) -> KnownAlert:
    """The newest state of an alert, from the topic of alerts. Raises `PulseError`."""
    if not _ALERT_ID.fullmatch(alert_id):
        raise PulseError(f'"{alert_id}" is no alert\'s id', hint="it begins with al_, in messages")
    kafka, found = config.kafka, AlertBook(1)
    with Brokers(kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(kafka.topics.alerts)
    wanted = alert_id.encode()

    def take(key: bytes, value: bytes | None) -> None:
        if value is not None and wanted in value:
            found.take(key, value)

    async def read() -> None:
        follower = Follower(for_aiokafka(kafka), kafka.topics.alerts, take)
        try:
            await follower.start()
        finally:
            await follower.stop()

    done(read())
    alert = found.get(alert_id)
    if alert is None:
        raise PulseError(
            f"there is no alert {alert_id}",
            hint=f"{kafka.topics.alerts} keeps them for {kafka.retention_days.alerts} days",
        )
    return alert
