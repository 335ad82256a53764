"""A year of an account's history, as workers would have written it, and what is known besides."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from pulse.alerting.people.outcomes import Outcome, encode_outcome
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.envelope import wrap
from pulse.history import History
from pulse.history.days import Day, Measures
from pulse.history.writing import Record
from tests.integration.web.webbing import DAY_MS, NOW_MS, alert, document

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.model.account import Zone
    from tests.integration.web.webbing import Scene

TODAY = date(2026, 3, 2)
MOVED = date(2025, 11, 10)
"""When the line went from 35 to 40."""


def score_on(back: int, last: float) -> float:
    """A good year with a weak summer, and a fall to `last` over its last ten weeks."""
    fall = max(0.0, min(1.0, (70 - back) / 70)) ** 0.8
    summer = 32 * math.exp(-(((back - 210) / 16) ** 2))
    wave = 3.0 * math.sin(back / 3.1) + 2.0 * math.sin(back / 11.0)
    good = 84.0 - summer + wave * (1 - 0.6 * fall)
    return round(good + (last - 84.0) * fall, 2)


def days(last: float) -> list[Day]:
    """The days of the year up to today, the oldest first; five of them without a score."""
    found = []
    for back in range(364, -1, -1):
        day, score = TODAY - timedelta(back), score_on(back, last)
        line = 40.0 if day >= MOVED else 35.0
        is_known = not 130 <= back < 135
        zone: Zone = "danger" if score < line else "approaching" if score < line + 15 else "healthy"
        users = max(round(score / 5.5), 1)
        found.append(
            Day("acme", day.isoformat(), f"{day}T00:00:00Z", score if is_known else None,
                zone if is_known else "unknown", "current", line, line + 15.0, "smb", 1200.0,
                Measures(users * 31.0, users * 31.0, users, max(round(score / 9), 1),
                         max(round(score / 5), 1)))
        )  # fmt: skip
    return found


def since(last: float) -> date:
    """Since when it has been in the zone that it is in."""
    zones = days(last)
    at = next(n for n in range(len(zones)) if len({day.zone for day in zones[n:]}) == 1)
    return date.fromisoformat(zones[at].day)


def history(folder: Path, last: float = 31.2) -> History:
    """A file with the year of an account, whose last score is `last`."""
    found = History(folder / "history.sqlite3")
    found.prepare()
    found.take(
        Record(0, offset, b"acme", msgspec.json.encode(day))
        for offset, day in enumerate(days(last))
    )
    return found


def measures(users: int, features: int, active: int, events: int, recency: float) -> dict[str, Any]:
    """The measures of a document, over 28 days."""

    def over(number: int) -> dict[str, int]:
        return {"7d": number // 3, "28d": number, "84d": number * 2}

    return {
        "events": over(events), "value": over(events), "active_users": over(users),
        "features": over(features), "active_days": over(active), "recency_days": recency,
    }  # fmt: skip


def named(*said: tuple[str, str, float]) -> list[dict[str, Any]]:
    """Users, or features, as a document names them."""
    return [{"name": name, "last_seen": last, "share": share} for name, last, share in said]


def acme(last: float = 31.2, **changes: Any) -> dict[str, Any]:
    """The document of the account with that history."""
    is_danger = last < 40
    out_of = {"active_users": 30.0, "active_days": 25.0, "features": 15.0, "events": 20.0,
              "recency_days": 10.0}  # fmt: skip
    shares = (0.22, 0.38, 0.5, 0.2, 0.89) if is_danger else (0.38, 0.6, 0.62, 0.4, 0.9)
    said = {
        "score": last,
        "zone": "danger" if is_danger else "approaching",
        "since": f"{since(last)}T00:00:00Z",
        "out_of": out_of,
        "contributions": {
            name: round(of * share, 2)
            for (name, of), share in zip(out_of.items(), shares, strict=True)
        },
        "measures": measures(7, 4, 8, 180, 2.4),
        "then": {"score": score_on(28, last), "measures": measures(14, 7, 15, 431, 0.2)},
        "turnover": {
            "active_users": {
                "here": 7, "left": 9, "came": 2,
                "here_names": named(("dana@acme.test", "2026-03-01", 0.41),
                                    ("u_5c1f0a", "2026-02-27", 0.22), ("eli", "2026-02-20", 0.06)),
                "left_names": named(("kai@acme.test", "2026-01-29", 0.11),
                                    ("u_88d2e4", "2026-01-21", 0.08), ("noor", "2026-01-15", 0.03)),
            },
            "features": {
                "here": 4, "left": 3, "came": 0,
                "here_names": named(("reports.view", "2026-03-01", 0.58),
                                    ("search", "2026-02-28", 0.2)),
                "left_names": named(("export.csv", "2026-01-30", 0.09),
                                    ("api.write", "2026-01-22", 0.04), ("sso", "2026-01-12", 0.01)),
            },
        },
        "profile": {"name": "Acme Instruments", "segment": "smb", "plan": "team", "owner": "kim",
                    "mrr": 1200, "seats": 40, "renewal_at": "2026-05-14T00:00:00Z"},
    }  # fmt: skip
    return document("acme", **{**said, **changes})


def tell(scene: Scene, last: float = 31.2) -> list[str]:
    """What the topics say of it: alerts, what was sent, what was said; the alerts' ids."""
    zone = "danger" if last < 40 else "approaching"
    summary = f"Acme Instruments fell to {last:.0f}, from {score_on(28, last):.0f} 28 days ago."
    severity = "critical" if last < 40 else "warning"
    profile = {"name": "Acme Instruments", "segment": "smb", "owner": "kim"}
    firing = alert(reason=zone, summary=summary, severity=severity, profile=profile)
    ended = alert(
        reason="usage_drop", status="resolved", resolution="settled", severity="warning",
        summary="Usage fell to half of what is usual for this account.",
        at_ms=NOW_MS - 6 * DAY_MS,
    )  # fmt: skip
    ended = ended.model_copy(update={"started_at": NOW_MS - 19 * DAY_MS})
    silence = alert(reason="silence", severity="warning", summary="Nobody has come for 2.4 days.")
    scene.knows(firing, ended, silence)
    told = ((firing, State.SUCCEEDED, "slack-cs", 1, ""),
            (ended, State.SUCCEEDED, "slack-cs", 1, ""),
            (firing, State.RETRYING, "crm", 3, "timeout"))  # fmt: skip
    for number, (each, state, receiver, attempts, why) in enumerate(told):
        at_ms = int(each.started_at) + 2_000
        said = Delivery(
            id=f"msg_{number}", group="", receiver=receiver, alerts=((each.id, "firing"),),
            labels=(), state=state, at_ms=at_ms, created_ms=at_ms, due_ms=at_ms,
            attempts=attempts, reason=why,
        )  # fmt: skip
        scene.books.deliveries.take(
            f"notification/{said.id}".encode(), wrap(1, msgspec.json.encode(said))
        )
    key, value = encode_outcome(
        Outcome(alert_id=ended.id, account_id="acme", reason="usage_drop", outcome="saved",
                author="kim", at_ms=NOW_MS - 5 * DAY_MS, started_ms=int(ended.started_at),
                note="their migration was over")
    )  # fmt: skip
    scene.books.outcomes.take(key.encode(), value)
    return [firing.id, ended.id, silence.id]
