"""The worker as a process: event loop, signals, logs, metrics."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from typing import TYPE_CHECKING

import structlog

from pulse import logs
from pulse.metrics import serve
from pulse.stream.core import take_own_core
from pulse.stream.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.config import Config


GC_THRESHOLDS = (50_000, 20, 100)
"""A worker's state is millions of objects in no cycles: the collector need not look often."""


def run(config: Config, at: Callable[[str, int | None], None] | None = None) -> None:
    """Run a worker until SIGINT or SIGTERM; `at` is told of its steps, see `Worker`."""
    quieten()
    gc.set_threshold(*GC_THRESHOLDS)
    # Before any thread is started: they stay where this one is.
    core = take_own_core() if config.worker.own_core else None
    if core is not None:
        structlog.get_logger("pulse.worker").info("keeps to one core", core=core.number)
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:  # there is none for Windows
        runner = asyncio.Runner()
    with runner:
        runner.run(_run(config, at))


async def _run(config: Config, at: Callable[[str, int | None], None] | None) -> None:
    worker = Worker(config, at=at)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, worker.stop)
    server = serve(
        config.worker.metrics_host,
        config.worker.metrics_port,
        worker.metrics.registry,
        health=worker.health,
    )
    beating = asyncio.create_task(worker.health.beating(), name="health")
    structlog.get_logger("pulse.worker").info("metrics are served", url=server.url)
    try:
        await worker.run()
    finally:
        beating.cancel()
        server.close()


def quieten() -> None:
    """Logs on stderr, one line each; of the libraries only what a person can act on."""
    logs.to_stderr()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    # A broker that is away is said once by us; these say it for each try and each connection.
    for name in ("aiokafka", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.ERROR)
