"""A collector as a process: keys followed, requests served, Kafka's word awaited."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn
from aiokafka.errors import KafkaError

from pulse.collector.app import make_app
from pulse.collector.following import Follower
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
from pulse.metrics import serve
from pulse.producer import Producer

if TYPE_CHECKING:
    from pulse.config import Config

log = structlog.get_logger("pulse.collector")

LAST_S = 10.0
"""How long what was taken is waited for at the end."""


async def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM."""
    collect, kafka = config.collector, config.kafka
    for each in collect.webhooks.all():
        each.secret()  # one that is missing is told before anything runs
    spool = None if collect.spool is None else Spool(Path(collect.spool), collect.spool_bytes)
    settings = for_aiokafka(kafka) | {"client_id": f"{kafka.client_id}-collector"}
    ring, links = KeyRing(), Links(privacy_of(collect))
    followers = [
        Follower(settings, kafka.topics.keys, ring.take),
        Follower(settings, kafka.topics.links, links.take),
    ]
    try:
        for follower in followers:
            await follower.start()
    except (TimeoutError, KafkaError, OSError) as error:
        for follower in followers:
            await follower.stop()
        raise PulseError(
            f"{kafka.topics.keys} and {kafka.topics.links} cannot be read: {error!r}",
            hint="is Kafka there? `pulse topics` makes the topics",
        ) from None
    producer = Producer(settings, idempotent=kafka.idempotence)
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
    sink.start()
    metrics = CollectorMetrics(
        lambda: sink.waiting_bytes, lambda: len(ring), lambda: 0 if spool is None else spool.size
    )
    page = serve(collect.metrics_host, collect.metrics_port, metrics.registry)
    app = make_app(Service(collect, ring, links, sink, metrics))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=collect.host,
            port=collect.port,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(LAST_S),
        )
    )
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    tasks.append(asyncio.create_task(keep_turning(kafka, settings), name="turning"))
    log.info("collecting", url=f"http://{collect.host}:{collect.port}", keys=len(ring),
             links=len(links), metrics=page.url)  # fmt: skip
    if not len(ring):
        log.warning("there is no write key yet, so nothing can come in: `pulse keys make SOURCE`")
    # What is there now stays: the collector of garbage need not look at it again and again.
    gc.collect()
    gc.freeze()
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()
        await sink.close(LAST_S)
        if spool is not None:
            await spool.close()
        await producer.stop()
        for follower in followers:
            await follower.stop()
        page.close()
