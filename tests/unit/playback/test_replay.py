from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.model import Alert
from pulse.model.time import format_ms, parse_ts
from pulse.playback.lines import FileLine
from pulse.playback.replay import Refused, Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_MS = parse_ts("2024-06-01T00:00:00Z")
START_MS = parse_ts("2024-01-01T09:00:00Z")
DAY_MS = 86_400_000
POLICY = policy(Config())


def event(day: float, account_id: str = "acme", **more: Any) -> bytes:
    ts = START_MS + round(day * DAY_MS)
    fields = {"id": f"{ts}", "account_id": account_id, "event": "opened", "ts": format_ms(ts)}
    return json.dumps(fields | more).encode()


def replay(raws: Sequence[bytes], until_ms: int | None = None) -> tuple[Replay, list[Refused]]:
    lines = [FileLine("f", number, raw) for number, raw in enumerate(raws, 1)]
    run, refused = Replay(POLICY), []
    run.run(Script(lines, until_ms=until_ms, now_ms=NOW_MS), refused=refused.append)
    return run, refused


def by_account(run: Replay) -> dict[str, dict[str, Any]]:
    return {status["account_id"]: status for status in run.accounts()}


def test_accounts_come_by_id_as_of_the_end() -> None:
    run, _ = replay([event(0, "b"), event(1, "a"), event(2, "ä"), event(2, "B")])

    assert [status["account_id"] for status in run.accounts()] == ["B", "a", "b", "ä"]
    assert {status["as_of"] for status in run.accounts()} == {"2024-01-03T09:00:00Z"}
    assert run.tally.events == 4


def test_until_is_the_end_of_the_clock() -> None:
    until_ms = START_MS + 40 * DAY_MS
    run, _ = replay([event(0), event(50)], until_ms)
    (status,) = run.accounts()

    assert status["as_of"] == format_ms(until_ms)
    assert status["lifecycle"] == "dormant"
    assert run.tally.events == 1


def test_alerts_come_in_the_order_they_were_due() -> None:
    days = [(day, account) for account in ("b", "a", "c") for day in range(30)]
    raws = [event(day, account) for day, account in sorted(days)]
    run, _ = replay(raws, START_MS + 80 * DAY_MS)
    alerts = [Alert.model_validate_json(line) for line in run.alerts()]

    assert [alert.reason for alert in alerts].count("silence") == 3
    assert [(a.at, a.account_id) for a in alerts] == sorted((a.at, a.account_id) for a in alerts)
    assert run.tally.alerts["silence", "firing"] == 3
    assert not any(alert.historical for alert in alerts)


def test_bad_lines_are_refused_and_all_around_them_is_counted() -> None:
    bad = {
        "truncated": event(0)[:-9],
        "wrong type": event(0, id=7),
        "wrong value": event(0, properties={"value": "much"}),
        "no object": b'"hello"',
        "two on a line": event(0) + event(0),
        "too large": event(0, properties={"value": "x" * (5 << 20)}),
        "nul": b"\0" * 20,
        "nul in it": event(0).replace(b"opened", b"op\0ned"),
        "no UTF-8": event(0).replace(b"opened", b"\xff\xfe"),
        "year 3000": event(0, ts="3000-01-01T00:00:00Z"),
        "before 1970": event(0, ts=-1),
        "no time zone": event(0, ts="2024-01-01T09:00:00"),
        "deep": b'{"properties":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        "deep and skipped": event(0, properties={"other": 1}).replace(
            b"1}", b"[" * 200_000 + b"]" * 200_000 + b"}"
        ),
    }
    raws = [event(0)]
    for number, each in enumerate(bad.values(), 1):
        raws += [each, event(number)]
    run, refused = replay(raws)

    assert [(each.line.number, each.line.raw) for each in refused] == [
        (2 * place, each) for place, each in enumerate(bad.values(), 1)
    ]
    assert all(each.detail for each in refused)
    reasons = dict(zip(bad, (each.reason for each in refused), strict=True))
    assert reasons["truncated"] == reasons["nul"] == "not_json"
    assert reasons["wrong type"] == reasons["wrong value"] == "wrong_shape"
    assert reasons["too large"] == "too_large"
    assert reasons["no UTF-8"] == "not_utf8"
    assert reasons["year 3000"] == "future"
    assert reasons["deep"] == "too_deep"

    clean, _ = replay([event(number) for number in range(len(bad) + 1)])
    assert list(run.accounts()) == list(clean.accounts())
    assert run.tally.events == clean.tally.events == len(bad) + 1
    assert run.tally.refused.total() == len(bad)
    assert run.tally.first_refused["not_json"] == refused[0]


def test_a_wrong_year_at_the_very_beginning_is_refused_too() -> None:
    run, refused = replay([event(0, ts="3000-01-01T00:00:00Z"), event(0), event(1)])

    assert [each.reason for each in refused] == ["future"]
    assert by_account(run)["acme"]["measures"]["events"]["7d"] == 2


def test_duplicates_and_late_events_are_counted() -> None:
    run, refused = replay(
        [event(0), event(0), event(40), event(39.98), event(39.9), event(20), event(-60)]
    )

    assert run.tally.counts["duplicates"] == 1
    assert (
        run.tally.counts["late_minutes"],
        run.tally.counts["late_hours"],
        run.tally.counts["late_days"],
    ) == (1, 1, 1)
    assert [each.reason for each in refused] == ["too_late"]


def test_the_order_of_the_file_is_kept() -> None:
    forth, _ = replay([event(0), event(100, "other"), event(0.5)])
    back, refused = replay([event(0), event(0.5), event(100, "other")])

    assert by_account(back)["acme"]["measures"]["events"]["84d"] == 0
    assert forth.tally.refused["too_late"] == 1
    assert refused == []


@pytest.mark.parametrize("raws", [[], [b"{"], [b"{", event(0, ts=-1)]])
def test_nothing_to_count_makes_nothing(raws: list[bytes]) -> None:
    run, refused = replay(raws)

    assert (list(run.accounts()), list(run.alerts()), run.as_of_ms) == ([], [], None)
    assert run.tally.events == 0
    assert len(refused) == len(raws)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    raws = [event(chance.random() * 90, chance.choice("abc"), id=str(n)) for n in range(2_000)]
    raws[10:10] = [b"{"]
    results = []
    for size in (1, 7, 500, 10_000):
        monkeypatch.setattr("pulse.playback.replay.BATCH", size)
        run, refused = replay(raws)
        results.append((list(run.accounts()), list(run.alerts()), run.tally, refused))

    assert all(result == results[0] for result in results)
