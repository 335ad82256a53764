from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.account import Activity
from pulse.engine import Engine, PartitionState
from pulse.readmodel import document

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_MS = 86_400_000
START_MS = 1_700_006_400_000  # 2023-11-15T00:00:00Z


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None


class History:
    """An engine fed with one account's days."""

    def __init__(self) -> None:
        self.policy = policy(Config())
        self.engine = Engine(self.policy)
        self.state = PartitionState()
        self._offset = 0

    def send(self, headers: Sequence[tuple[str, bytes]] = (), **fields: Any) -> None:
        value = json.dumps(fields).encode()
        self.engine.apply(self.state, [Record(self._offset, value, headers)])
        self._offset += 1

    def day(self, day: int, users: int) -> None:
        at_ms = START_MS + day * DAY_MS
        self.tick(at_ms + 36_000_000)
        for user in range(users):
            self.send(
                id=f"{day}-{user}",
                account_id="acme",
                user_id=f"u{user}",
                event=f"feature.{user}",
                ts=at_ms + 36_000_000 + user,
            )
        self.tick(at_ms + DAY_MS)

    def tick(self, at_ms: int) -> None:
        self.send([("pulse-control", b"tick")], type="tick", ts=at_ms)

    def document(self) -> dict[str, Any]:
        self.engine.settle(self.state)
        account = self.state.account("acme")
        status = self.engine.status(account, self.state.clock_ms or 0)
        rules = self.policy.of_segment(account.fact("segment")).scorecard
        found = document(account, status, rules, Activity())
        assert {name: found[name] for name in status} == status
        assert json.loads(json.dumps(found)) == found
        return found


def test_a_new_account_has_no_past_and_no_alerts() -> None:
    history = History()
    history.day(0, users=2)

    found = history.document()
    assert found["zone"] == "unknown"
    assert found["since"] is None
    assert found["alerts"] == []
    assert found["profile"] == {}
    assert found["then"] is None


def test_an_account_in_danger_says_since_when_and_what_it_was_before() -> None:
    history = History()
    history.send(
        id="p1",
        type="profile",
        account_id="acme",
        ts=START_MS,
        profile={
            "name": "Acme",
            "segment": "pro",
            "seats": 10,
            "renewal_at": START_MS,
            "plan": None,
        },
    )
    for day in range(60):
        history.day(day, users=8)
    for day in range(60, 90):
        history.day(day, users=0)

    found = history.document()
    assert found["zone"] == "danger"
    alerts = {alert["reason"]: alert for alert in found["alerts"]}
    assert alerts.keys() >= {"silence", "danger", "usage_drop"}
    danger = alerts["danger"]
    assert found["since"] == danger["since"] < danger["started_at"]
    assert found["then"]["score"] > found["score"]
    assert found["then"]["measures"]["active_users"]["28d"] == 8
    assert found["measures"]["active_users"]["28d"] == 0
    assert found["profile"] == {
        "name": "Acme",
        "segment": "pro",
        "seats": 10,
        "renewal_at": "2023-11-15T00:00:00Z",
    }
    assert sum(found["out_of"].values()) == 100.0
    assert found["out_of"].keys() == found["contributions"].keys()


def test_what_cannot_be_measured_gives_its_points_to_the_others() -> None:
    history = History()
    for day in range(40):
        history.day(day, users=8)

    found = history.document()  # no seats known
    assert "active_users" not in found["out_of"]
    assert sum(found["out_of"].values()) > 99.9
    assert all(found["contributions"][name] <= most for name, most in found["out_of"].items())


def test_an_account_that_recovers_says_since_when() -> None:
    history = History()
    for day in range(60):
        history.day(day, users=8)
    for day in range(60, 90):
        history.day(day, users=0)
    for day in range(90, 130):
        history.day(day, users=8)

    found = history.document()
    assert found["zone"] == "healthy"
    assert found["alerts"] == []
    assert "2024-02-13T00:00:00Z" < found["since"] < found["as_of"]


def test_who_left_and_how_many_came_is_told_of_users_and_of_features() -> None:
    history = History()
    for day in range(60):
        history.day(day, users=8 if day < 28 else 3)

    found = history.document()["turnover"]
    for what, letter in (("active_users", "u"), ("features", "feature.")):
        assert (found[what]["here"], found[what]["left"], found[what]["came"]) == (3, 5, 0)
        names = {each["name"] for each in found[what]["left_names"]}
        assert names == {f"{letter}{n}" for n in range(3, 8)}
        assert {each["last_seen"] for each in found[what]["left_names"]} == {"2023-12-12"}


def test_a_user_who_is_forgotten_is_in_the_document_no_more() -> None:
    history = History()
    for day in range(40):
        history.day(day, users=8 if day < 10 else 3)
    assert '"u5"' in json.dumps(history.document())
    history.state.take_touched()

    history.send([("pulse-control", b"forget")], type="forget", ts=START_MS, user="u5")

    assert "acme" in history.state.touched  # so its document is written anew
    found = history.document()
    assert '"u5"' not in json.dumps(found)
    assert found["turnover"]["active_users"]["left"] == 5
