"""The fifth table: how long `pulse web` takes for a page, with few accounts and with many.

`pulse web` as its users run it, on Kafka, with a Redis and a history of its own; a client on the
same machine asks for one page after the other, over one connection. Every page must show what it
is to show.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
from kafka import KafkaProducer

from benchmarks.checks import WrongCountError
from benchmarks.place import PARTITIONS, Place, say
from benchmarks.work import cpu_s
from pulse import keyring
from pulse.config.kafka_clients import for_aiokafka
from pulse.history import History
from pulse.model.time import format_ms
from pulse.placement import partition_of
from pulse.processes import free_port
from pulse.readmodel import ReadModel
from pulse.testing.alerts import sample_alert
from pulse.testing.system import System
from pulse.testing.valkey import ValkeyServer
from pulse.web import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.testing.process import PulseProcess

FEW = 1_000
MANY = 50_000
DAYS = 365
_DAY_MS = 86_400_000
_TIMES = 20
_PATIENCE_S = 300.0
_SEGMENTS = ("enterprise", "mid-market", "smb")
_OWNERS = tuple(f"owner-{number}" for number in range(25))


class Page(msgspec.Struct):
    """A page that was asked for again and again. `bytes` are those of its body."""

    title: str
    p50_s: float
    longest_s: float
    cpu_s: float
    """Of the process, for one of them."""
    bytes: int
    is_page: bool = True
    """False for what is a file, or is reckoned anew each time."""
    of_few: float | None = None
    """How many times as long as with few accounts, by the medians."""


class WebSpeed(msgspec.Struct):
    """The fifth table's content."""

    accounts: int
    few: int
    days: int
    """Of history."""
    memory_mb: float
    pages: list[Page]

    @property
    def first(self) -> Page:
        """Today's first page."""
        return self.pages[0]

    @property
    def slowest(self) -> Page:
        """The page that takes longest: no file, and nothing that is reckoned anew."""
        return max((each for each in self.pages if each.is_page), key=lambda each: each.p50_s)


def measure(place: Place, *, quick: bool) -> WebSpeed:
    """Ask for each page. Raises `WrongCountError` where one does not show what it should."""
    days = 90 if quick else DAYS
    few, _ = _of(place, FEW, days)
    many, memory_mb = _of(place, MANY, days)
    for of_few, page in zip(few, many, strict=True):
        page.of_few = page.p50_s / of_few.p50_s
    return WebSpeed(MANY, FEW, days, memory_mb, many)


def _of(place: Place, accounts: int, days: int) -> tuple[list[Page], float]:
    say(f"{accounts:,} accounts, {days} days")
    folder = place.new_folder("web")
    with ValkeyServer(folder) as valkey:
        prefix, port = place.name("web"), free_port()
        settings = {
            "clock": "wall",
            "redis": {"url": valkey.url, "prefix": f"{prefix}:"},
            "history": {"file": str(folder / "history.sqlite3"), "days": 400},
            "web": {"port": port},
        }
        system = System(
            place.bootstrap,
            folder,
            prefix=prefix,
            partitions=PARTITIONS,
            settings=settings,
            forks=False,
        )
        system.create_topics()
        token = _new_token(system)
        now_ms = time.time_ns() // 1_000_000
        asyncio.run(_documents(valkey.url, f"{prefix}:", accounts, now_ms))
        _remember(folder / "history.sqlite3", accounts, days)
        _raise_alerts(system, accounts, now_ms)
        web = system.process("web", port=port)
        try:
            web.start()
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                _sign_in(client, token)
                _wait_until_read(client, accounts)
                pages = [_ask(client, web, *each) for each in _pages(accounts)]
            return pages, _resident_mb(web.pid)
        finally:
            system.stop()


def _pages(accounts: int) -> list[tuple[str, str, str]]:
    """Title, path, and what must stand on it."""
    shown = sum(zone_of(number) != "healthy" for number in range(accounts))
    one = next(name_of(number) for number in range(accounts) if zone_of(number) == "danger")
    last = (shown - 1) // 25 + 1
    return [
        ("**Today**, its first page", "/", f"of {shown:,}<"),
        ("… its last page", f"/?page={last}", f"{shown:,} of {shown:,}<"),
        ("… by zone, segment and owner", "/?zone=danger&segment=smb&owner=owner-3", "that fit"),
        ("… only those waiting", "/?waiting=1", "that fit"),
        ("… all as CSV", "/today.csv", '"account_id","name"'),
        ("finding an account by a part of its name", "/search?q=account%20number%20"
         f"{accounts - 1}", "with “"),
        ("an account's page, with its year", f"/accounts/{one}", "Engagement against"),
        ("the fleet, a year", "/fleet?span=1y", "Moves between zones"),
        ("… of a segment", "/fleet?span=1y&segment=smb", "Moves between zones"),
        ("trying another line on 28 days", "/line?enter=45", "Save it"),
    ]  # fmt: skip


def _ask(client: httpx.Client, web: PulseProcess, title: str, path: str, shows: str) -> Page:
    took: list[float] = []
    times = 3 if path.startswith("/line") else _TIMES
    body = _body(client, path, shows)  # the first one reads what the disk has
    used_s = cpu_s(web.pid)
    for _ in range(times):
        began_s = time.perf_counter()
        body = _body(client, path, shows)
        took.append(time.perf_counter() - began_s)
    used_s = (cpu_s(web.pid) - used_s) / times
    is_page = not path.startswith(("/today.csv", "/line"))
    page = Page(title, median(took), max(took), used_s, len(body), is_page)
    say(f"  {1000 * page.p50_s:8.1f} ms  {path}")
    return page


def _body(client: httpx.Client, path: str, shows: str) -> bytes:
    answer = client.get(path)
    if answer.status_code != 200 or shows not in answer.text:
        raise WrongCountError(f"{path} answered {answer.status_code}, and does not show {shows!r}")
    return answer.content


def _new_token(system: System) -> str:
    token, kept = tokens.make("bench", tokens.Role.viewer)
    kafka = system.config.kafka
    hashed = keyring.hash_of(token)
    asyncio.run(keyring.write(for_aiokafka(kafka), kafka.topics.tokens, hashed, kept))
    return token


def _sign_in(client: httpx.Client, token: str) -> None:
    shown = client.get("/sign-in").text
    (form,) = re.findall(r'name="form" value="([^"]+)"', shown)[:1]
    said = {"form": form, "token": token, "next": "/"}
    answer = client.post("/sign-in", data=said, headers={"Sec-Fetch-Site": "same-origin"})
    if answer.status_code != 303:
        raise WrongCountError(f"signing in: {answer.status_code}")


def _wait_until_read(client: httpx.Client, accounts: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        text = client.get("/").text
        if f"of {accounts:,} accounts" in text and "still being read" not in text:
            return
        if time.monotonic() > deadline:
            raise WrongCountError("the accounts were not read in time")
        time.sleep(0.5)


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# -- what there is to show -------------------------------------------------------------------------


def name_of(number: int) -> str:
    """The id of an account."""
    return f"account-{number}"


def zone_of(number: int) -> str:
    """Two of seven are on the board.

    >>> [zone_of(number) for number in range(3)]
    ['danger', 'healthy', 'approaching']
    """
    return {0: "danger", 2: "approaching"}.get(number % 7, "healthy")


def _score(number: int) -> float:
    low, high = {"danger": (5, 40), "approaching": (40, 55)}.get(zone_of(number), (55, 100))
    return low + (number * 7_919 % 1_000) / 1_000 * (high - low)


def _documents_of(accounts: int, now_ms: int) -> Iterator[dict[str, Any]]:
    windows = {"7d": 3, "28d": 14, "84d": 40}
    names = ("events", "value", "active_users", "features", "active_days")
    measures = {**dict.fromkeys(names, windows), "recency_days": 2.5}
    day_ms = now_ms - now_ms % _DAY_MS
    for number in range(accounts):
        zone, score = zone_of(number), round(_score(number), 2)
        since = format_ms(day_ms - (number % 40) * _DAY_MS)
        yield {
            "account_id": name_of(number), "as_of": format_ms(day_ms), "last_active_at": since,
            "lifecycle": "current", "zone": zone, "score": score,
            "contributions": {"active_users": score / 2, "events": score / 2},
            "measures": measures, "since": since, "out_of": {"active_users": 50, "events": 50},
            "line": {"enter": 40, "exit": 45, "approach": 55, "version": None},
            "then": {"score": min(score + 12, 100), "measures": measures},
            "profile": {
                "name": f"Account number {number}", "segment": _SEGMENTS[number % 3],
                "owner": _OWNERS[number % len(_OWNERS)], "mrr": 100 + number % 9_000,
                "renewal_at": format_ms(day_ms + (number % 365) * _DAY_MS), "plan": "yearly",
            },
            "alerts": [] if zone == "healthy" else
            [{"reason": zone, "started_at": since, "since": since}],
        }  # fmt: skip


async def _documents(url: str, prefix: str, accounts: int, now_ms: int) -> None:
    made = list(_documents_of(accounts, now_ms))
    async with ReadModel(url, prefix) as model:
        for start in range(0, len(made), 1_000):
            await model.write(made[start : start + 1_000])


def _raise_alerts(system: System, accounts: int, now_ms: int) -> None:
    """Everybody on the board has an alert."""
    topic = system.config.kafka.topics.alerts
    started_ms = now_ms - _DAY_MS
    with closing(KafkaProducer(bootstrap_servers=system.bootstrap, linger_ms=20)) as producer:
        for number in range(accounts):
            zone, name = zone_of(number), name_of(number)
            if zone == "healthy":
                continue
            alert = sample_alert(
                name,
                reason=zone,
                severity="critical" if zone == "danger" else "warning",
                at_ms=started_ms,
                started_at_ms=started_ms,
            )
            where = partition_of(name, PARTITIONS)
            producer.send(topic, alert.to_json(), key=name.encode(), partition=where)
        producer.flush()


def _remember(file: Path, accounts: int, days: int) -> None:
    """Days of every account, the last of them today's, as `pulse web` would have written them.

    Straight into the file's tables: through the topic it would take an hour. A score swings by 16
    points around a middle that each account has.
    """
    History(file).prepare()
    last = datetime.now(tz=UTC).date()
    bases = [
        (number + 1, round(100 * _score(number)), _SEGMENTS[number % 3], 100 + number % 9_000)
        for number in range(accounts)
    ]
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TEMP TABLE base (id INTEGER PRIMARY KEY, score, segment, mrr)")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO account VALUES (?, ?)",
            ((number + 1, name_of(number)) for number in range(accounts)),
        )
        db.executemany("INSERT INTO base VALUES (?, ?, ?, ?)", bases)
        db.execute(_DAYS_OF_ALL, ((last - timedelta(days=days - 1)).toordinal(), last.toordinal()))
        db.execute(_FLEET_OF_ALL)
        db.execute(_MOVES_OF_ALL)
        db.execute("COMMIT")


_DAYS_OF_ALL = """
    WITH RECURSIVE
        d(day) AS (SELECT ?1 UNION ALL SELECT day + 1 FROM d WHERE day < ?2),
        scored AS (
            SELECT id, day, segment, mrr,
                max(0, min(10000, score + 100 * (abs((id * 37 + day) % 64 - 32) - 16))) AS score
            FROM base CROSS JOIN d
        )
    INSERT INTO day SELECT
        id, day, score, CASE WHEN score < 4000 THEN 3 WHEN score < 5500 THEN 2 ELSE 1 END, 1,
        4000, 5500, segment, mrr, score / 10, score / 10, score / 500, score / 900, score / 400
    FROM scored
"""
_FLEET_OF_ALL = """
    INSERT INTO fleet SELECT day, segment, zone, lifecycle, min(score / 500, 19), count(*), sum(mrr)
    FROM day GROUP BY 1, 2, 3, 4, 5
"""
_MOVES_OF_ALL = """
    INSERT INTO move SELECT day, segment, was, zone, count(*)
    FROM (
        SELECT day, segment, zone, lag(zone, 1, -1) OVER (PARTITION BY account ORDER BY day) AS was
        FROM day
    )
    WHERE was <> zone GROUP BY 1, 2, 3, 4
"""
