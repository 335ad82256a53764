"""A made-up fleet that looks like a real one, and the pages that show it on a real server."""

from __future__ import annotations

import asyncio
import math
import random
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec

from pulse.alerting.people.account_notes import AccountNote, encode_note
from pulse.alerting.people.outcomes import Outcome, encode_outcome
from pulse.alerting.people.silences import encode_silence, encode_snooze
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Silence, Snooze
from pulse.history import History
from pulse.history.days import Day, Measures
from pulse.history.writing import Record
from pulse.model.time import format_ms
from pulse.web.process import make_server
from tests.integration.web.webbing import DAY_MS, NOW_MS, Scene, alert, document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pulse.alerting.people.outcomes import Word
    from pulse.readmodel import ReadModel

FIRST = (
    "Alder", "Beacon", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo",
    "Juniper", "Kestrel", "Lumen", "Meridian", "Northwind", "Orchard", "Pioneer", "Quarry",
    "Redwood", "Summit", "Tidal", "Umbra", "Vantage", "Willow", "Yarrow", "Zephyr",
)  # fmt: skip
SECOND = (
    "Analytics", "Bank", "Clinics", "Dental", "Energy", "Foods", "Freight", "Health", "Insurance",
    "Labs", "Learning", "Logistics", "Media", "Motors", "Robotics", "Software", "Studios", "Travel",
)  # fmt: skip
OWNERS = ("kim.larsen", "amara.okafor", "jonas.weber", "priya.nair", None)
SEGMENTS = ("enterprise", "mid-market", "smb")
MRR = {"enterprise": 9_000, "mid-market": 2_400, "smb": 320}
WHY = {
    "danger": "fell below the danger line: score {score:.1f}, line 40. Active users 21 to 6, "
    "events 4,310 to 890. The last 7 days: 34 % of a usual week.",
    "silence": "fell silent: nothing meaningful for 9 days, after 24 active days.",
    "approaching": "approaches the danger line: score {score:.1f}, line 40. At this pace it "
    "crosses on 2026-03-17 (2026-03-11 to 2026-03-29). Active days 25 to 14.",
    "champion_left": ": the champion has not been seen for 21 days.",
    "payment_failed": ": a payment failed, twice in a row.",
}


def name_of(number: int) -> tuple[str, str]:
    """Id and name of an account."""
    first, second = FIRST[number % len(FIRST)], SECOND[number // len(FIRST) % len(SECOND)]
    again = number // (len(FIRST) * len(SECOND))
    name = f"{first} {second}{f' {again + 1}' if again else ''}"
    return name.lower().replace(" ", "-"), name


def scores(number: int, of: random.Random) -> list[float]:
    """Of 91 days, the last of which is today."""
    zone = zone_of(number)
    to = {"danger": of.uniform(6, 39), "approaching": of.uniform(41, 54)}.get(
        zone, of.uniform(60, 95)
    )
    start = of.uniform(max(to, 58), 92)
    bend, steep = of.uniform(35, 75), of.uniform(4, 14)
    fall = [to + (start - to) / (1 + math.exp((day - bend) / steep)) for day in range(90)]
    return [*(min(max(each + of.gauss(0, 1.6), 0), 100) for each in fall), to]


def zone_of(number: int) -> str:
    """Where it stands."""
    return ("danger", "healthy", "approaching", "healthy", "healthy", "healthy", "healthy")[
        number % 7
    ]


def account(number: int) -> tuple[dict[str, Any], list[float]]:
    """An account's document, and its scores."""
    of = random.Random(number)
    account_id, name = name_of(number)
    segment, owner = of.choice(SEGMENTS), of.choice(OWNERS)
    path, zone = scores(number, of), zone_of(number)
    reasons = {"danger": ["danger"], "approaching": ["approaching"]}.get(zone, [])
    if zone == "danger":
        reasons += of.choice(([], [], ["silence"], ["champion_left"], ["payment_failed"]))
    since = format_ms(NOW_MS - round(of.uniform(0.2, 40) * DAY_MS))
    profile = {
        "name": name, "segment": segment, "plan": f"{segment} yearly", "owner": owner,
        "mrr": round(MRR[segment] * of.lognormvariate(0, 0.5), -1),
        "renewal_at": format_ms(NOW_MS + round(of.uniform(-3, 300) * DAY_MS)),
    }  # fmt: skip
    return document(
        account_id,
        zone=zone,
        score=round(path[-1], 2),
        since=since,
        then={"score": round(path[62], 2), "measures": document("x")["measures"]},
        profile={key: value for key, value in profile.items() if value is not None},
        alerts=[{"reason": each, "started_at": since, "since": since} for each in reasons],
    ), path


def fleet(count: int) -> Iterator[dict[str, Any]]:
    """The documents of so many accounts."""
    return (account(number)[0] for number in range(count))


def remember(folder: Path, count: int, history: History | None = None) -> History:
    """A history of the last 91 days of so many accounts; in one that is given, beside its own."""
    history = history or History(folder / "history.sqlite3")
    history.prepare()
    today = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC).date()
    records = []
    for number in range(count):
        said, path = account(number)
        for ago, score in zip(range(len(path) - 1, -1, -1), path, strict=True):
            zone = "danger" if score < 40 else "approaching" if score < 55 else "healthy"
            on = (today - timedelta(ago)).isoformat()
            day = Day(
                said["account_id"], on, f"{on}T00:00:00Z", round(score, 2), zone, "current", 40.0,
                55.0, said["profile"]["segment"], said["profile"]["mrr"], Measures(9, 0, 3, 2, 5),
            )  # fmt: skip
            records.append(Record(1, len(records), b"", msgspec.json.encode(day)))
    history.take(records)
    return history


def raise_alerts(scene: Scene, count: int) -> None:
    """The alerts of so many accounts come from the topic."""
    for number in range(count):
        said, path = account(number)
        for each in said["alerts"]:
            name = said["profile"]["name"]
            why = WHY[each["reason"]].format(score=path[-1])
            scene.knows(
                alert(
                    said["account_id"],
                    reason=each["reason"],
                    severity="critical" if each["reason"] == "danger" else "warning",
                    summary=f"{name}{why}" if why.startswith(":") else f"{name} {why}",
                    profile={"name": name, "segment": said["profile"]["segment"]},
                )
            )


def say(scene: Scene) -> None:
    """What people said: silences, a snooze, outcomes by which a reason is noisy, a note."""
    for number, (matcher, author, why, days) in enumerate((
        (Matcher(segments=("smb",), reasons=("usage_drop", "silence")), "kim.larsen",
         "Public holidays in most of the countries that they are in", 5),
        (Matcher(accounts=("fjord-*",)), "amara.okafor", "They move to the new plan", 12),
    )):  # fmt: skip
        silence = Silence(
            id=f"si_{number:016x}", match=matcher, author=author, reason=why,
            starts_ms=NOW_MS - DAY_MS, ends_ms=NOW_MS + days * DAY_MS,
        )  # fmt: skip
        key, value = encode_silence(silence)
        scene.books.muted.take(key.encode(), value)
    firing = sorted(scene.books.alerts, key=lambda each: each.account_id)
    for alert_, until_ms in zip(firing[:2], (NOW_MS + 7 * DAY_MS, None), strict=False):
        snooze = Snooze(alert_id=alert_.id, author="kim.larsen", until_ms=until_ms)
        key, value = encode_snooze(snooze)
        scene.books.muted.take(key.encode(), value)
    for reason, right, wrong, ignored in (
        ("danger", 31, 6, 2), ("silence", 12, 3, 0), ("usage_drop", 4, 22, 7),
    ):  # fmt: skip
        words = ["saved"] * right + ["false_alarm"] * wrong + ["ignored"] * ignored
        for number, word in enumerate(words):
            outcome = Outcome(
                alert_id=f"al_{reason}_{number}", account_id="somebody", reason=reason,
                outcome=cast("Word", word), author="kim.larsen", at_ms=NOW_MS, started_ms=NOW_MS,
            )  # fmt: skip
            key, value = encode_outcome(outcome)
            scene.books.outcomes.take(key.encode(), value)
    note = AccountNote(
        id="no_0000000000000001", account_id="acme", author="kim.larsen", at_ms=NOW_MS - DAY_MS,
        text="Their new admin is Ada, from May on.\nCall her before the renewal.",
    )  # fmt: skip
    key, value = encode_note(note)
    scene.books.notes.take(key.encode(), value)


@asynccontextmanager
async def serving(
    accounts: ReadModel | None,
    history: History | None = None,
    settings: dict[str, Any] | None = None,
) -> AsyncIterator[Scene]:
    """The pages on a real server, at the origin of the scene; its board is kept fresh."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        scene = Scene(accounts, settings or {}, origin=origin, history=history)
        server = make_server(scene.app)
        scene.service.live.is_ending = lambda: server.should_exit
        following = None if scene.board is None else asyncio.create_task(scene.board.run())
        task = asyncio.create_task(server.serve([listening]))
        try:
            yield scene
        finally:
            server.should_exit = True
            await task
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
