"""The notifier's process: `run` puts the parts together and keeps them going."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from pulse.alerting.everybody.fleet import FleetRule
from pulse.alerting.records import envelope
from pulse.config import Config
from pulse.config.pipeline import pipeline_rules
from pulse.errors import PulseError
from pulse.health import Health
from pulse.metrics import serve
from pulse.notifier.clock import WallClock
from pulse.notifier.dispatch import Notifier
from pulse.notifier.fleet.inhibit import FleetGuard, GuardSettings
from pulse.notifier.kafka import KafkaSettings, Outage, partition_counts, quiet_client_logs
from pulse.notifier.kinds import make_receiver, receiver_settings
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.reading.arrival import At, Bounds
from pulse.notifier.reading.consumer import AlertConsumer, until
from pulse.notifier.reading.hearing import FleetHearing
from pulse.notifier.reading.lease import Lease
from pulse.notifier.reading.silencing import SilenceHearing
from pulse.notifier.state.log import KafkaDeliveryLog
from pulse.notifier.state.shelf import AlertShelf, LogShelf
from pulse.notifier.tasks import Tasks
from pulse.producer import Outgoing, Producer

log = structlog.get_logger("pulse.notifier")

_WAIT_S: Final = 1.0
_PROBE_S: Final = 2.0
_FORGET_EVERY_S: Final = 3600.0


async def run(
    config: Config,
    stop: asyncio.Event,
    *,
    registry: CollectorRegistry | None = None,
    at: At | None = None,
) -> None:
    """Deliver alerts until `stop` is set; then finish what is under way and return.

    `at` is told of the notifier's steps, see `Notifier`.

    A Kafka that is away is waited for. Metrics are served where the configuration says; a caller
    that serves them itself, like the demo, passes the `registry` they go to. Raises `PulseError`
    for what a person has to mend: a secret, a URL, topics that do not fit, a port in use. What ends
    in a bug sets `stop`, and is raised when all is closed as far as it can be.
    """
    kafka = KafkaSettings.of(config)
    receivers, links = receiver_settings(config), config.web.links()
    quiet_client_logs()
    if not receivers:
        log.warning("the configuration has no receivers: alerts are read and sent nowhere")
    tasks = Tasks()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(_cancel, asyncio.create_task(_stop_if_failed(tasks, stop)))
        metrics, health = NotifierMetrics(registry), Health("Kafka and its topics")
        stack.push_async_callback(_cancel, asyncio.create_task(health.beating()))
        if registry is None:
            server = serve(
                config.notifier.metrics_host,
                config.notifier.metrics_port,
                metrics.registry,
                setting="notifier.metrics_port",
                health=health,
            )
            stack.callback(server.close)
            log.info("metrics are served", url=server.url)
        outage = Outage()
        partitions = await _wait_for_topics(kafka, outage, stop)
        if partitions is None:
            return
        lease = Lease(kafka.lease_s, kafka.session_s)
        topic = KafkaDeliveryLog(kafka, partitions, outage, lease)
        stack.push_async_callback(topic.stop)
        # Where it fails, the first write tries again.
        with contextlib.suppress(KafkaError, OSError):
            await topic.start()
        ready = {name: (settings, make_receiver(settings)) for name, settings in receivers.items()}
        settings = guard_settings(config)
        guard = None if settings is None else FleetGuard(settings)
        shelf = AlertShelf(kafka, outage, LogShelf(topic))
        stack.push_async_callback(shelf.stop)
        people = Producer(dict(kafka.client), idempotent=kafka.idempotence)
        stack.push_async_callback(people.stop)

        async def answer(keys: Sequence[str]) -> None:
            await people.send(
                [Outgoing(kafka.silences_topic, 0, each.encode(), None) for each in keys]
            )

        notifier = Notifier(
            ready,
            topic,
            WallClock(),
            lease,
            metrics,
            Bounds(late_after_ms=config.notifier.late_after_ms),
            partitions=partitions,
            rules=pipeline_rules(config),
            shelf=shelf,
            guard=guard,
            config_version=config.version,
            links=links,
            answer=answer,
            tasks=tasks,
            at=at,
        )
        await notifier.start()
        stack.push_async_callback(notifier.stop)
        silencing = SilenceHearing(kafka, notifier, outage)
        duties = [_watch(topic, outage), _forget(notifier), silencing.run()]
        hearing = None
        if settings is not None:
            back_ms = settings.rule.window_ms + settings.rule.hold_ms
            hearing = FleetHearing(kafka, partitions, notifier, outage, back_ms)
            duties.append(hearing.run())
        for duty in duties:
            stack.push_async_callback(_cancel, tasks.start(duty, "duty"))
        await until(stop, silencing.caught_up.wait())
        if hearing is not None:
            await until(stop, hearing.caught_up.wait())
        health.waits_for = None
        log.info("notifier started", receivers=sorted(receivers), partitions=partitions)
        await _consume(
            lambda: AlertConsumer(
                kafka,
                notifier,
                outage,
                lease,
                unreadable=metrics.alerts_unreadable,
                due_at_append=config.clock == "events",
            ),
            outage,
            stop,
        )
    tasks.raise_failed()
    log.info("notifier stopped")


async def enable(config: Config, name: str) -> None:
    """Forget that a receiver answered 410. Notifiers that run learn of it when they start again.

    Raises `PulseError` for missing topics, or a Kafka that is away.
    """
    kafka = KafkaSettings.of(config)
    quiet_client_logs()
    try:
        counts = await partition_counts(kafka)
        partitions = counts.get(kafka.deliveries_topic)
        if partitions is None:
            raise PulseError(
                f"there is no topic {kafka.deliveries_topic}", hint="`pulse topics --yes` makes it"
            )
        topic = KafkaDeliveryLog(kafka, partitions, Outage(), Lease(kafka.lease_s))
        await topic.start()
    except (KafkaError, OSError) as error:
        raise PulseError(f"Kafka is away: {error}", hint="try again when it is back") from None
    try:
        await topic.broadcast((envelope.ENDPOINT + name, None))
    finally:
        await topic.stop()


def guard_settings(config: Config) -> GuardSettings | None:
    """What the configuration says of a fleet that falls together; None where it is not watched."""
    guard = config.notifier.fleet_guard
    if not guard.enabled:
        return None
    rule = FleetRule(guard.share, guard.min_accounts, guard.window_ms, guard.hold_ms)
    return GuardSettings(rule, config.plays.fleet_falls, config.version)


async def _wait_for_topics(kafka: KafkaSettings, outage: Outage, stop: asyncio.Event) -> int | None:
    """The number of partitions, once all topics are there; None where `stop` comes first."""
    said = False
    while not stop.is_set():
        try:
            counts = await partition_counts(kafka)
        except (KafkaError, OSError) as error:
            outage.away(error)
        else:
            outage.back()
            partitions = _agreed(kafka, counts)
            missing = [name for name in kafka.topics if name not in counts]
            if partitions is not None and not missing:
                return partitions
            if not said:
                said = True
                log.warning("waiting for topics; `pulse topics --yes` makes them", missing=missing)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _WAIT_S)
    return None


def _agreed(kafka: KafkaSettings, counts: Mapping[str, int]) -> int | None:
    alerts, deliveries = counts.get(kafka.alerts_topic), counts.get(kafka.deliveries_topic)
    if alerts is None or deliveries is None:
        return None
    if alerts != deliveries:
        raise PulseError(
            f"{kafka.alerts_topic} has {alerts} partitions and {kafka.deliveries_topic} has "
            f"{deliveries}; they must have the same number",
            hint="delete the deliveries topic while it is new and let `pulse topics` make it",
        )
    return alerts


async def _consume(join: Callable[[], AlertConsumer], outage: Outage, stop: asyncio.Event) -> None:
    """One membership in the group after the other: one that fails is followed by a new one."""
    while not stop.is_set():
        try:
            await join().run(stop)
        except (KafkaError, OSError) as error:
            outage.away(error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _WAIT_S)
        else:
            if not stop.is_set():
                log.warning(
                    "this process stood still, or did not reach Kafka, for too long; joining the "
                    "group again"
                )


async def _watch(topic: KafkaDeliveryLog, outage: Outage) -> None:
    """Notice that Kafka is away also while there is nothing to write."""
    while True:
        if await topic.is_reachable():
            outage.back()
        else:
            outage.away(ConnectionError("no broker answers"))
        await asyncio.sleep(_PROBE_S)


async def _forget(notifier: Notifier) -> None:
    while True:
        await asyncio.sleep(_FORGET_EVERY_S)
        await notifier.forget_old()


async def _stop_if_failed(tasks: Tasks, stop: asyncio.Event) -> None:
    await tasks.failed.wait()
    stop.set()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
