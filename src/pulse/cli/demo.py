"""`pulse demo`: everything at once on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.live import Live

from pulse.cli.demo_page import has_browser, has_person, link_to_page, open_browser
from pulse.cli.demo_parts import (
    LINK_VARIABLE,
    SECRET_VARIABLE,
    Example,
    NotifierProcess,
    Ports,
    PulseProcess,
    WebProcess,
    WorkerProcess,
    new_secret,
    write_config,
)
from pulse.cli.demo_player import Player
from pulse.cli.demo_view import DemoState, ShownAlert, plain_line, screen, summary
from pulse.config import Config
from pulse.embedded import Broker, Valkey
from pulse.errors import PulseError
from pulse.model.time import parse_ts
from pulse.readmodel import ReadModel, ReadModelError
from pulse.testing.webhooks import WebhookReceiver, failing
from pulse.topics.broker import Brokers, quiet_client_logs
from pulse.topics.wanted import wanted_topics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence

    from pulse.processes import Server
    from pulse.testing.webhooks import ReceivedRequest

_FAILED_SHARE: Final = 0.05
_LOOK_EVERY_S: Final = 0.5
_SAY_EVERY_S: Final = 3.0
_STUCK_S: Final = 60.0
"""When nothing has moved for so long, nothing will."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs during a demo."""

    config: Config
    config_path: Path
    example: Example
    valkey: Valkey
    worker: WorkerProcess
    notifier: NotifierProcess
    web: WebProcess
    link: str
    """Opens the page, signed in."""
    servers: Sequence[Server]
    webhook_port: int
    secret: str

    @property
    def processes(self) -> tuple[PulseProcess, ...]:
        """Those that are pulse."""
        return self.worker, self.notifier, self.web


def command(
    seconds: Annotated[
        float, typer.Option(min=1, metavar="N", help="How long thirteen years take.")
    ] = 60.0,
    stay: Annotated[
        bool | None,
        typer.Option(
            "--stay/--no-stay",
            help="Keep everything running afterwards, the page with it, until Ctrl-C. "
            "Unless said: at a terminal it stays, in a script it ends.",
            show_default=False,
        ),
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser",
            help="Open the page in your browser. Unless said: at a terminal with a display.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Everything at once on this machine, with a real history played fast.

    Starts a broker, a Redis, a worker, a notifier, a webhook receiver and the page, plays thirteen
    years of usage in a minute and shows what happens: here, and on the page, which a link opens
    signed in. At a terminal it opens that in your browser, and afterwards goes on running. Needs
    nothing installed but pulse itself, is reached from this machine alone, and leaves nothing
    behind: Ctrl-C ends it at any time.
    """
    example = Example.find()
    console = Console(highlight=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pulse-demo-")))
        with _one_at_a_time(example, console):
            parts = _start(example, folder, stack, console)
        print(f"The page, signed in: {parts.link}")
        print(f"For Prometheus: {' '.join(each.url for each in parts.processes)}", flush=True)
        if browser or (browser is None and has_person() and has_browser()):
            open_browser(parts.link)
        stays = has_person() if stay is None else stay
        try:
            asyncio.run(_run(parts, console, seconds, stay=stays))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


def _start(example: Example, folder: Path, stack: ExitStack, console: Console) -> Parts:
    """Start everything; `stack` stops it."""
    ports, secret, path = Ports.choose(), new_secret(), folder / "pulse.yaml"
    with _said(console, "starting a broker and a Redis"):
        broker = stack.enter_context(Broker(folder))
        valkey = stack.enter_context(Valkey(folder))
    write_config(example, broker, valkey, ports, path)
    config = Config.load(path)
    quiet_client_logs()
    with _said(console, "making the topics"), Brokers(config.kafka, timeout_s=30.0) as brokers:
        brokers.create(wanted_topics(config.kafka))
    environ = {SECRET_VARIABLE: secret, LINK_VARIABLE: new_secret()}
    worker = WorkerProcess(folder, ports.worker, path, environ)
    notifier = NotifierProcess(folder, ports.notifier, path, environ)
    web = WebProcess(folder, ports, path, environ)
    processes: tuple[PulseProcess, ...] = (worker, notifier, web)
    stack.callback(_stop, processes)
    with _said(console, "starting a worker, a notifier and the page"):
        for process in processes:
            process.launch()
        link = link_to_page(config, web.page_url)
        for process in processes:
            process.wait_until_it_answers()
    return Parts(
        config=config,
        config_path=path,
        example=example,
        valkey=valkey,
        worker=worker,
        notifier=notifier,
        web=web,
        link=link,
        servers=(broker, valkey, *processes),
        webhook_port=ports.webhooks,
        secret=secret,
    )


@contextlib.contextmanager
def _one_at_a_time(example: Example, console: Console) -> Iterator[None]:
    """Keep a second demo from taking, while it starts, the ports this one has chosen."""
    with example.config.open("rb") as file:
        with contextlib.suppress(OSError):  # file systems without locks
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with _said(console, "waiting for another demo that is starting"):
                    fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _stop(processes: Sequence[Server]) -> None:
    with ThreadPoolExecutor(len(processes)) as pool:
        list(pool.map(lambda process: process.stop(within_s=5.0), processes))


async def _run(parts: Parts, console: Console, seconds: float, *, stay: bool) -> None:
    """Play, show what happens, and sum it up when everything that was played has arrived."""
    player = Player(parts.example.history, parts.config, seconds)
    state = DemoState(player.first_ms, player.last_ms)
    state.page = parts.link
    state.addresses = {each.name: each.url for each in parts.processes}
    receiver = WebhookReceiver(
        [parts.secret],
        behaviour=failing(_FAILED_SHARE, seed=1),
        listener=lambda request: _note(state, request),
        port=parts.webhook_port,
    )
    _end_on_signals()
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(receiver)
        except OSError as error:
            raise PulseError(f"cannot receive webhooks at {receiver.url}: {error}") from None
        watched = asyncio.create_task(_watch(parts, state))
        stack.push_async_callback(cancel, watched)
        async with contextlib.AsyncExitStack() as until_it_is_over:
            shown = asyncio.create_task(_show(state, console))
            until_it_is_over.push_async_callback(cancel, shown)
            await _first(_play(player, parts, state), watched, shown)
        print(summary(state, _next_steps(parts, stay=stay)))
        if stay:
            print(f"\nThe page, signed in: {parts.link}")
            print("Everything goes on running until Ctrl-C.", flush=True)
            with contextlib.suppress(asyncio.CancelledError):
                await _first(asyncio.Event().wait(), watched)


async def _first(work: Coroutine[Any, Any, object], *others: asyncio.Task[None]) -> None:
    """Do some work while others go on; what ends first, well or badly, ends the waiting."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
        for each in (*others, task):
            if each.done():
                each.result()
    finally:
        await cancel(task)


async def _play(player: Player, parts: Parts, state: DemoState) -> None:
    state.phase = "the worker takes its partitions"
    await _until(lambda: _has_partitions(parts))
    started_s = time.monotonic()

    def played(at_ms: int) -> None:
        state.at_ms = max(at_ms, state.at_ms or 0)
        state.elapsed_s = time.monotonic() - started_s

    state.phase = "playing"
    await player.play(played)
    state.phase = "finishing"
    await _arrival(player, parts)
    state.elapsed_s = time.monotonic() - started_s
    await asyncio.sleep(2 * _LOOK_EVERY_S)  # for what is shown to catch up


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await condition():
            return
        await asyncio.sleep(_LOOK_EVERY_S)


async def _has_partitions(parts: Parts) -> bool:
    worker = await asyncio.to_thread(parts.worker.look)
    return worker.total("pulse_partitions_assigned") >= parts.config.kafka.partitions


async def _arrival(player: Player, parts: Parts) -> None:
    """Return when every event is counted, every alert's webhook settled, and every day kept.

    Raises `PulseError` where for a long time nothing has moved.
    """
    seen: tuple[int, ...] = ()
    moved_s = time.monotonic()
    while True:
        worker = await asyncio.to_thread(parts.worker.look)
        notifier = await asyncio.to_thread(parts.notifier.look)
        web = await asyncio.to_thread(parts.web.look)
        counted, alerts = worker.total("pulse_events_total"), worker.total("pulse_crossings_total")
        lag = worker.total("pulse_lag_records")
        read = notifier.total("pulse_alerts_read_total")
        unsent = notifier.total("pulse_notifications_undelivered")
        unkept = web.total("pulse_history_lag_records")
        has_sent = counted >= player.lines and lag == 0 and read >= alerts and unsent == 0
        if has_sent and unkept == 0:
            return
        if seen != (seen := (counted, alerts, lag, read, unsent, unkept)):
            moved_s = time.monotonic()
        if time.monotonic() - moved_s > _STUCK_S:
            raise PulseError(
                f"the demo is stuck: {counted:,} of {player.lines:,} events counted, "
                f"{read:,} of {alerts:,} alerts read, {unsent:,} webhooks to be sent, "
                f"{unkept:,} days of accounts to be kept\n"
                + "\n".join(each.log_tail(5) for each in parts.processes)
            )
        await asyncio.sleep(_LOOK_EVERY_S)


async def _watch(parts: Parts, state: DemoState) -> None:
    """Look at the parts from outside, as Prometheus and `pulse accounts` do."""
    before_s = time.monotonic()
    async with ReadModel(parts.valkey.url, parts.config.redis.prefix) as model:
        while True:
            for server in parts.servers:
                if not server.running:
                    raise PulseError(f"the {server.name} ended by itself:\n{server.log_tail()}")
            worker = await asyncio.to_thread(parts.worker.look)
            notifier = await asyncio.to_thread(parts.notifier.look)
            now_s, events = time.monotonic(), worker.total("pulse_events_total")
            rate = (events - state.events) / max(now_s - before_s, 1e-3)
            state.events_per_s += (rate - state.events_per_s) * 0.4
            state.events, before_s = events, now_s
            state.fired = worker.by("reason", "pulse_crossings_total", status="firing")
            outcomes = notifier.by("outcome", "pulse_deliveries_total")
            reasons = notifier.by("reason", "pulse_notification_decisions_total")
            state.unsent = round(outcomes["superseded"] + reasons["resolved_before_sent"])
            with contextlib.suppress(ReadModelError):
                found = await model.summary()
                if found.as_of is not None:
                    state.zones.append((parse_ts(found.as_of), found.zones))
            await asyncio.sleep(_LOOK_EVERY_S)


def _note(state: DemoState, request: ReceivedRequest) -> None:
    """Take in a webhook."""
    if request.problem is not None:
        state.unverified += 1
        return
    if not request.accepted:
        state.failed_on_purpose += 1
        return
    state.verified += 1
    alert = request.body["data"]
    state.alerts.appendleft(
        ShownAlert(alert["at"], alert["reason"], alert["status"], alert["summary"])
    )


async def _show(state: DemoState, console: Console) -> None:
    draws = console.is_terminal and not console.is_dumb_terminal
    if not draws or not console.encoding.lower().startswith("utf"):
        while True:
            await asyncio.sleep(_SAY_EVERY_S)
            print(plain_line(state), flush=True)
    colour = console.color_system is not None
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            width, height = console.size
            live.update(screen(state, width, height, colour=colour), refresh=True)
            await asyncio.sleep(0.2)


def _end_on_signals() -> None:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it ends.

    Once is not enough: `asyncio.wait_for` of Python 3.11, which redis-py writes with, loses a
    cancellation that comes in the moment in which what it waits for is done.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
    if not task.cancelled():
        task.exception()  # else asyncio complains that nobody has looked at it


@contextlib.contextmanager
def _said(console: Console, what: str) -> Iterator[None]:
    """Say what is being waited for."""
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        print(what, flush=True)
        yield


def _next_steps(parts: Parts, *, stay: bool) -> list[str]:
    history, config = parts.example.history, parts.example.config
    if stay:
        redis = f"--redis {parts.valkey.url}"
        return [
            f"pulse accounts {redis} --zone danger",
            f"pulse account ID {redis}",
            *(f"curl {each.url}" for each in parts.processes),
        ]
    return [
        "pulse demo --stay   # the same, and the page goes on, as do `pulse accounts` and /metrics",
        f"pulse replay {history} --config {config} --alerts-out alerts.ndjson",
        f"pulse check {config}",
        "pulse --help        # with a Kafka of your own: topics, work, notify, web",
    ]
