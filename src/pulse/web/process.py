"""The API and the page as a process: topics followed, requests served, Kafka's word awaited."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvicorn

from pulse.config.kafka_clients import for_aiokafka
from pulse.config.pipeline import holdout
from pulse.desk.audit import AuditBook
from pulse.desk.books import AlertBook, MutedBook, OutcomeBook
from pulse.desk.desk import Desk
from pulse.desk.notes import NoteBook
from pulse.errors import PulseError
from pulse.following import WITHIN_S, Follower
from pulse.front import catch_up, serve_and_follow
from pulse.health import Health
from pulse.history import History
from pulse.metrics import serve
from pulse.producer import Producer
from pulse.readmodel import ReadModel
from pulse.serving import Server, listen, patient
from pulse.topics.broker import Brokers, quiet_client_logs
from pulse.web.access import Access
from pulse.web.app import make_app
from pulse.web.deliveries import DeliveryBook
from pulse.web.hardening import PATIENCE_S
from pulse.web.metrics import WebMetrics
from pulse.web.people.logins import Logins
from pulse.web.people.proxy import NEAR_ENV, Proxy, counts_all_as_one
from pulse.web.people.users import UserRing, kept_anew
from pulse.web.recorder import Recorder
from pulse.web.service import Books, Service
from pulse.web.today.board import Board
from pulse.web.today.live import Heard, Live
from pulse.web.tokens import TokenRing

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pulse.config import Config
    from pulse.config.web import Web
    from pulse.web.people.users import User

log = structlog.get_logger("pulse.web")

LAST_S = 10.0
"""How long requests under way are waited for at the end."""
MOST_CONNECTIONS = 1_000
"""More than these get 503. Each holds a body of 64 KiB at most, before its token is looked at."""


async def run(config: Config) -> None:
    """Serve until SIGINT or SIGTERM. A Kafka that is away is waited for. Raises `PulseError` for
    what a person has to mend.
    """
    web, kafka = config.web, config.kafka
    quiet_client_logs()
    links = web.links()  # a key that is missing is told before anything runs
    settings = for_aiokafka(kafka) | {"client_id": f"{kafka.client_id}-web"}
    async with AsyncExitStack() as stack:
        books = Books(
            AlertBook(web.most_alerts),
            OutcomeBook(),
            MutedBook(),
            DeliveryBook(),
            NoteBook(),
            AuditBook(),
        )
        ring, users = TokenRing(), UserRing()
        topics, live = kafka.topics, Live()
        heard = Heard(books, live)
        followers = [
            Follower(settings, topics.tokens, ring.take),
            Follower(settings, topics.users, users.take),
            Follower(settings, topics.audit, books.audit.take),
            Follower(settings, topics.silences, heard.muted),
            Follower(settings, topics.outcomes, heard.outcome),
            Follower(settings, topics.notes, heard.note),
            Follower(settings, topics.alerts, heard.alert),
            Follower(settings, topics.deliveries, books.deliveries.take),
        ]
        for follower in followers:
            stack.push_async_callback(follower.stop)
        producer = Producer(settings, idempotent=kafka.idempotence)
        stack.push_async_callback(producer.stop)
        history = None
        recording: list[Recorder] = []
        if config.history.enabled:
            history = History(Path(config.history.file))
            recorder = Recorder(settings, topics.history, history, config.history.days)
            await recorder.prepare()
            recording.append(recorder)
        metrics = WebMetrics(
            books.outcomes,
            alerts=lambda: len(books.alerts),
            tokens=lambda: len(ring),
            users=lambda: len(users),
            history_lag=lambda: sum(each.lag for each in recording),
        )
        health = Health("Kafka and its topics")
        page = serve(
            web.metrics_host,
            web.metrics_port,
            metrics.registry,
            setting="web.metrics_port",
            health=health,
        )
        stack.callback(page.close)
        beating = asyncio.create_task(health.beating(), name="health")
        stack.callback(beating.cancel)
        await catch_up(partial(_look_at_topics, config), followers, log.warning)
        accounts = board = None
        if config.redis.enabled:
            accounts = ReadModel(config.redis.address().reveal(), config.redis.prefix)
            stack.push_async_callback(accounts.close)
            board = Board(accounts, live.say)

        async def keep_anew(user: User, password: str) -> None:
            record = kept_anew(topics.users, user, password)
            # Who signs in need not wait for it: it is kept anew the next time.
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await producer.send([record])

        service = Service(
            config=config,
            books=books,
            accounts=accounts,
            history=history,
            access=Access(
                ring,
                Logins(users, time.monotonic, metrics.wrong_passwords.inc, keep_anew),
                links,
                public_url=web.public_url,
                session_ms=web.session_ms,
                now_ms=now_ms,
                monotonic_s=time.monotonic,
                proxy=_proxy(web, metrics),
                on_wrong=metrics.wrong_tokens.inc,
                on_signed_in=lambda way: metrics.signed_in.labels(way).inc(),
            ),
            desk=Desk(
                kafka,
                books.muted,
                books.outcomes,
                books.notes,
                producer.send,
                has_ended=books.alerts.has_ended,
                within_s=web.ack_timeout_s,
                observe=lambda what, took_s: metrics.took.labels(what).observe(took_s),
            ),
            holdout=holdout(config),
            now_ms=now_ms,
            board=board,
            live=live,
        )
        listening = listen(web.host, web.port, section="web")
        stack.callback(listening.close)
        server = make_server(make_app(service, metrics))
        health.waits_for = None
        live.is_ending = lambda: server.should_exit
        log.info("serving", url=f"http://{web.host}:{web.port}", tokens=len(ring),
                 alerts=len(books.alerts), links=links is not None, metrics=page.url)  # fmt: skip
        if links is None:
            log.warning("web.link_secret_env is not set, so sessions hold at this process alone, "
                        "and end with it")  # fmt: skip
        if not len(ring) and not len(users) and web.proxy_auth is None:
            log.warning("there is no user and no token yet, so nobody can sign in: "
                        "`pulse users add`, `pulse tokens make`")  # fmt: skip
        if counts_all_as_one(web.host):
            log.warning(f"{NEAR_ENV} is not set: who comes by a proxy on another machine counts as "
                        "one address, and one who guesses passwords holds up all")  # fmt: skip
        boards = [] if board is None else [board]
        await serve_and_follow(server, listening, [*followers, *recording, *boards], "the topics")


def make_server(
    app: FastAPI, *, within_s: float = PATIENCE_S, most_connections: int = MOST_CONNECTIONS
) -> Server:
    """The application's server: a request's head comes within that time, or its connection ends."""
    return Server(
        uvicorn.Config(
            app,
            http=patient(within_s),
            limit_concurrency=most_connections + 1,  # uvicorn refuses the one that reaches it
            log_config=None,
            access_log=False,  # the addresses of links are keys
            server_header=False,
            proxy_headers=False,  # the application looks at them: it must know who is connected
            lifespan="off",
            timeout_graceful_shutdown=int(LAST_S),
        )
    )


def now_ms() -> int:
    """The time, in milliseconds UTC."""
    return time.time_ns() // 1_000_000


def _proxy(web: Web, metrics: WebMetrics) -> Proxy | None:
    return None if web.proxy_auth is None else Proxy(web.proxy_auth, metrics.untrusted.inc)


def _look_at_topics(config: Config) -> None:
    """Raises `PulseError` where one is not there, or has another number of partitions, and
    `KafkaAwayError`.
    """
    kafka, topics = config.kafka, config.kafka.topics
    with Brokers(kafka, timeout_s=WITHIN_S) as brokers:
        found = brokers.need(
            topics.events,
            topics.alerts,
            topics.deliveries,
            topics.silences,
            topics.outcomes,
            topics.notes,
            topics.tokens,
            topics.users,
            topics.audit,
            *((topics.history,) if config.history.enabled else ()),
        )
    if found[topics.events].partitions != kafka.partitions:
        raise PulseError(
            f"{topics.events} has {found[topics.events].partitions} partitions and the "
            f"configuration says {kafka.partitions}",
            hint=f"set kafka.partitions to {found[topics.events].partitions}",
        )
