"""A collector as a process: keys followed, requests served, Kafka's word awaited."""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn

from pulse.collector.app import make_app
from pulse.collector.keys import KeyRing
from pulse.collector.links import Links
from pulse.collector.metrics import CollectorMetrics
from pulse.collector.privacy import privacy_of
from pulse.collector.service import Service
from pulse.collector.sink import Sink
from pulse.collector.spool import Spool
from pulse.collector.turning import keep_turning
from pulse.config.kafka_clients import for_aiokafka
from pulse.errors import PulseError
from pulse.following import WITHIN_S, Follower
from pulse.front import catch_up, serve_and_follow
from pulse.health import Health
from pulse.metrics import serve
from pulse.producer import Producer
from pulse.serving import Server, listen, patient
from pulse.topics.broker import Brokers, quiet_client_logs

if TYPE_CHECKING:
    from pulse.config import Config

log = structlog.get_logger("pulse.collector")

LAST_S = 10.0
"""How long what was taken is waited for at the end."""


async def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM. A Kafka that is away is waited for. Raises `PulseError` for
    what a person has to mend.
    """
    collect, kafka = config.collector, config.kafka
    quiet_client_logs()
    for each in collect.webhooks.all():
        each.secret()  # one that is missing is told before anything runs
    settings = for_aiokafka(kafka) | {"client_id": f"{kafka.client_id}-collector"}
    async with AsyncExitStack() as stack:
        spool = None if collect.spool is None else Spool(Path(collect.spool), collect.spool_bytes)
        if spool is not None:
            stack.push_async_callback(spool.close)
        ring, links = KeyRing(), Links(privacy_of(collect))
        producer = Producer(settings, idempotent=kafka.idempotence)
        stack.push_async_callback(producer.stop)
        sink = Sink(
            producer,
            events=kafka.topics.events,
            deadletter=kafka.topics.deadletter,
            links=kafka.topics.links,
            partitions=kafka.partitions,
            most_bytes=collect.buffer_bytes,
            within_s=collect.ack_timeout_s,
            spool=spool,
        )
        metrics = CollectorMetrics(
            lambda: sink.waiting_bytes,
            lambda: len(ring),
            lambda: 0 if spool is None else spool.size,
        )
        health = Health("Kafka and its topics")
        page = serve(
            collect.metrics_host,
            collect.metrics_port,
            metrics.registry,
            setting="collector.metrics_port",
            health=health,
        )
        stack.callback(page.close)
        beating = asyncio.create_task(health.beating(), name="health")
        stack.callback(beating.cancel)
        followers = [
            Follower(settings, kafka.topics.keys, ring.take),
            Follower(settings, kafka.topics.links, links.take),
        ]
        for follower in followers:
            stack.push_async_callback(follower.stop)
        await catch_up(partial(_look_at_topics, config), followers, log.warning)
        listening = listen(collect.host, collect.port, section="collector")
        stack.callback(listening.close)
        sink.start()
        stack.push_async_callback(sink.close, LAST_S)
        health.waits_for = None
        server = Server(
            uvicorn.Config(
                make_app(Service(collect, ring, links, sink, metrics)),
                http=patient(collect.body_timeout_s),
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_keep_alive=75,
                timeout_graceful_shutdown=int(LAST_S),
            )
        )
        log.info("collecting", url=f"http://{collect.host}:{collect.port}", keys=len(ring),
                 links=len(links), metrics=page.url)  # fmt: skip
        if not len(ring):
            log.warning("there is no write key yet, so nothing can come in: `pulse keys make`")
        # What is there now stays: the collector of garbage need not look at it again and again.
        gc.collect()
        gc.freeze()
        # Most of what a request makes is gone with it, and no cycle.
        gc.set_threshold(50_000, 20, 20)
        turning = asyncio.create_task(keep_turning(kafka, settings), name="turning")
        stack.callback(turning.cancel)
        await serve_and_follow(server, listening, followers, "write keys and links")


def _look_at_topics(config: Config) -> None:
    """Raises `PulseError` where one is not there, or has another number of partitions, and
    `KafkaAwayError`.
    """
    kafka, topics = config.kafka, config.kafka.topics
    with Brokers(kafka, timeout_s=WITHIN_S) as brokers:
        found = brokers.need(topics.events, topics.deadletter, topics.keys, topics.links)
    for name in (topics.events, topics.links):
        if found[name].partitions != kafka.partitions:
            raise PulseError(
                f"{name} has {found[name].partitions} partitions and the configuration says "
                f"{kafka.partitions}",
                hint=f"set kafka.partitions to {found[name].partitions}; `pulse topics` says more",
            )
