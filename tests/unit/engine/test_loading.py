"""A load into a live system: what is held of the accounts it touches, and what is told when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.account import OpenAlert
from pulse.engagement.days import DAY_MS, HOUR_MS, MINUTE_MS
from pulse.engagement.load import Ended
from pulse.engagement.packing import pack, split, unpack
from pulse.engine import Engine, PartitionState
from pulse.engine.columns import LOAD_HEADER
from pulse.engine.control import forget, load, loaded
from pulse.engine.loading import PATIENCE_MS
from pulse.model.time import parse_ts
from pulse.testing.histories import usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from pulse.engine import Policy
    from pulse.model import Alert

START_MS = parse_ts("2024-01-01T00:00:00Z")
NAME = "load-2024-03-01"
LINE = {"enter": 40, "exit": 50, "approach": 60, "min_history_days": 7, "min_active_days": 1,
        "forecast_days": 0}  # fmt: skip


def rules(dwell: str = "0s") -> Policy:
    scorecard = {"measure": "active_days", "window": "28d", "weight": 1, "floor": 0, "target": 28}
    signals = {"usage_drop": {"enabled": False}, "silence": {"days": 14}}
    line = {**LINE, "dwell": dwell}
    return policy(
        Config.model_validate({"scorecard": [scorecard], "line": line, "signals": signals})
    )


POLICY = rules()


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)


class Loads(Play):
    """Sixty days of three accounts: one healthy, one in danger, one that fell silent."""

    def __init__(self, days: int = 60, dwell: str = "0s") -> None:
        super().__init__(rules(dwell))
        self.clock_ms = START_MS
        for day in range(days):
            self.to(at(day + 10 / 24))
            for name, uses in (("well", True), ("danger", day % 4 == 0), ("silent", day < 40)):
                if uses:
                    self.add(usage(f"{day}", name, at(day + 10 / 24)))
            self.to(at(day + 11 / 24))

    def to(self, at_ms: int) -> None:
        self.clock_ms = at_ms
        self.tick(at_ms)

    def load(self) -> None:
        self.say(load(NAME, 0))

    def loaded(self) -> None:
        self.say(loaded(NAME, 9))

    def say(self, record: Any) -> None:
        self.log.add(record.value, *record.headers)
        self.apply(self.log.records[-1:])

    def bring(self, *lines: bytes, name: str = NAME) -> None:
        """A record of the load."""
        self.log.add(b"\n".join(lines), (LOAD_HEADER, name.encode()))
        self.apply(self.log.records[-1:])

    def fill(self, account_id: str, first: int, last: int) -> None:
        """The account was used on these days, as is known only now."""
        for day in range(first, last):
            self.bring(usage(f"late {day}", account_id, at(day + 12 / 24)))

    def told(self) -> list[Alert]:
        """What would be sent since this was last asked for."""
        found, self.outcome.alerts = self.outcome.alerts, []
        return [each for each in found if each.caused_by is None and not each.historical]


def said(alerts: list[Alert]) -> list[tuple[str, str, str | None]]:
    return [(each.account_id, each.reason, each.resolution) for each in alerts]


@pytest.fixture
def play() -> Loads:
    play = Loads()
    assert play.status("danger")["zone"] == "danger"
    assert set(play.state.account("silent").alerts) == {"danger", "silence"}
    play.told()
    return play


def digest_of(alerts: list[Alert]) -> Alert:
    (found,) = [each for each in alerts if each.reason == "digest"]
    return found


def test_what_comes_and_goes_within_a_load_is_never_sent(play: Loads) -> None:
    play.load()
    # Used on two days only, as far as is known by now.
    play.bring(usage("1", "new", at(5)), usage("2", "new", at(45)))
    for day in (60.3, 61.2):
        play.to(at(day))
        play.load()
    marked = [a for a in play.outcome.alerts if a.account_id == "new"]
    assert {a.caused_by for a in marked} == {"load"}
    assert ("new", "danger", None) in said(marked)
    play.fill("new", 20, 62)
    play.to(at(61.6))
    ended = [a for a in play.outcome.alerts if a.account_id == "new" and a.status == "resolved"]
    assert {a.reason for a in ended} >= {"danger"}
    play.loaded()

    (digest,) = play.told()
    assert digest.evidence["untold_accounts"] == 0
    assert digest.summary.endswith("No alert that began within it still stands.")
    assert play.state.account("new").load is None


def test_what_ended_within_a_load_is_told_when_it_has_ended(play: Loads) -> None:
    began = play.state.account("silent").alerts["silence"]
    play.load()
    play.fill("silent", 40, 60)
    play.to(at(59.6))
    assert play.told() == []
    assert play.state.account("silent").alerts == {}
    play.loaded()
    *ends, digest = play.told()

    assert sorted(said(ends)) == [
        ("silent", "danger", "recovered"), ("silent", "silence", "active_again")
    ]  # fmt: skip
    assert {a.status for a in ends} == {"resolved"}
    assert {a.at for a in ends} == {at(59.6)}
    (silence,) = [a for a in ends if a.reason == "silence"]
    assert parse_ts(str(silence.model_dump(mode="json")["started_at"])) == began.started_ms
    assert digest.reason == "digest"


def test_what_began_and_still_stands_is_in_the_digest_and_told_of_alone_only_when_it_is_new(
    play: Loads,
) -> None:
    play.load()
    play.bring(usage("1", "new", at(5)), usage("2", "new", at(45)))
    play.to(at(60 + 10 / 24))
    play.loaded()
    (digest,) = play.told()

    assert digest.evidence["load"] == NAME
    assert digest.evidence["untold_accounts"] == 1
    assert digest.evidence["worst"] == [{"account_id": "new", "score": 3.57, "reasons": ["danger"]}]
    assert play.state.account("danger").load is None
    # Its end is an end that nobody waits for; what begins from now on is told.
    for day in range(61, 95):
        play.to(at(day + 10 / 24))
        play.add(usage(f"{day}", "new", at(day + 10 / 24)))
        play.to(at(day + 11 / 24))
    assert [each for each in said(play.told()) if each[:2] == ("new", "danger")] == [
        ("new", "danger", "recovered")
    ]
    assert play.state.account("new").load is None
    play.to(at(125))
    assert ("new", "silence", None) in said(play.told())


def test_who_is_loaded_whole_is_in_the_digest_at_once_whatever_the_dwell() -> None:
    play = Loads(dwell="1d")
    play.told()
    play.load()
    play.fill("falls", 5, 45)
    play.fill("rises", 5, 60)
    play.fill("danger", 20, 60)
    play.to(at(59.6))
    assert play.outcome.alerts == []
    play.loaded()
    end, digest = play.told()

    assert digest.evidence["worst"] == [
        {"account_id": "falls", "score": 46.43, "reasons": ["approaching", "silence"]}
    ]
    assert said([end]) == [("danger", "danger", "recovered")]
    assert [play.status(name)["zone"] for name in ("falls", "rises")] == ["approaching", "healthy"]
    play.to(at(60.4))
    assert play.told() == []


def test_accounts_that_no_line_touched_alert_as_ever(play: Loads) -> None:
    play.load()
    play.bring(usage("1", "new", at(45)))
    for day in range(60, 90):
        play.to(at(day + 0.5))
        if day % 10 == 5:
            play.load()
    assert ("well", "danger", None) in said(play.told())


def test_a_line_whose_load_has_ended_or_never_began_marks_nobody(play: Loads) -> None:
    play.bring(usage("1", "well", at(45)))
    play.load()
    play.loaded()
    play.bring(usage("2", "well", at(45)))
    play.bring(usage("3", "well", at(45)), name="other")

    assert play.state.account("well").load is None
    assert len(play.told()) == 1


def test_a_load_that_is_interrupted_mutes_nobody_for_ever(play: Loads) -> None:
    play.load()
    play.bring(usage("1", "new", at(5)), usage("2", "new", at(45)))
    began_ms = play.clock_ms
    play.to(began_ms + PATIENCE_MS - 1)
    assert digest_free(play)
    play.to(began_ms + PATIENCE_MS)

    digest = digest_of(play.told())
    assert digest.evidence["untold_accounts"] == 1
    assert play.state.loads == {}
    # Its end, that comes after all, is none any more.
    play.loaded()
    assert play.told() == []


def digest_free(play: Loads) -> bool:
    return not [each for each in play.told() if each.reason == "digest"]


def test_a_load_that_goes_on_says_so(play: Loads) -> None:
    play.load()
    play.bring(usage("1", "new", at(45)))
    for hours in range(12, 73, 12):
        play.to(at(59.5) + hours * HOUR_MS)
        play.load()
    mark = play.state.account("new").load

    assert mark is not None
    assert mark.is_on


def test_before_the_first_tick_patience_begins_with_it() -> None:
    play = Loads(days=0)
    play.load()
    play.to(at(1))
    play.to(at(1.9))
    assert list(play.state.loads) == [NAME]
    play.to(at(2))
    assert play.state.loads == {}


def test_the_minute_at_hand_belongs_to_the_load(play: Loads) -> None:
    play.load()
    play.fill("silent", 40, 60)
    play.loaded()
    *ends, digest = play.told()
    assert sorted(each.reason for each in ends) == ["danger", "silence"]
    play.to(play.clock_ms + 3 * MINUTE_MS)

    assert play.told() == []
    assert digest.reason == "digest"


def test_a_load_tells_of_what_began_within_it_alone(play: Loads) -> None:
    for name in (NAME, "second"):
        play.say(load(name, 0))
    play.bring(usage("1", "new", at(5)), usage("2", "new", at(45)))
    play.to(at(60 + 10 / 24))
    play.loaded()
    first = digest_of(play.told())
    play.bring(usage("3", "new", at(44)), name="second")
    play.say(loaded("second", 1))
    second = digest_of(play.told())

    assert (first.evidence["untold_accounts"], second.evidence["untold_accounts"]) == (1, 0)
    assert first.id != second.id


def test_who_is_touched_by_two_loads_is_held_until_both_have_ended(play: Loads) -> None:
    for name in (NAME, "second"):
        play.say(load(name, 0))
    for name in (NAME, "second"):
        play.bring(usage(name, "well", at(59), source="import"), name=name)
    play.loaded()
    play.told()
    play.to(at(80))
    play.say(load("second", 1))
    assert [each for each in play.told() if each.account_id == "well"] == []

    play.say(loaded("second", 1))
    assert digest_of(play.told()).evidence["worst"][0]["account_id"] == "well"


def test_a_load_says_nothing_of_whether_its_source_runs(play: Loads) -> None:
    play.load()
    play.bring(usage("1", "well", at(59), source="import"))
    assert set(play.state.heard) == {"default"}
    play.add(usage("2", "well", at(59.5), source="import"))

    assert set(play.state.heard) == {"default", "import"}


def test_an_account_that_is_erased_within_a_load_has_its_ends_told(play: Loads) -> None:
    play.load()
    play.fill("silent", 40, 60)
    play.to(at(59.6))
    play.say(forget("silent", None, at(59.6)))

    assert sorted(said(play.told())) == [
        ("silent", "danger", "forgotten"), ("silent", "silence", "forgotten")
    ]  # fmt: skip


def test_a_user_who_is_erased_within_a_load_is_in_none_of_its_ends(play: Loads) -> None:
    play.load()
    play.bring(usage("1", "well", at(45), user_id="ada"))
    account = play.state.find("well")
    assert account is not None
    assert account.load is not None
    account.load.ended.append(Ended("champion_gone", OpenAlert(at(50), at(49), "ada"), "no_longer"))
    assert b"ada" in play.state.packed("well")
    play.say(forget("well", "ada", at(59.6)))

    assert b"ada" not in play.state.packed("well")
    assert said(play.told()) == [("well", "champion_gone", "forgotten")]
    play.loaded()
    assert len(play.told()) == 1


def test_a_mark_costs_an_account_nothing_that_has_none(play: Loads) -> None:
    before = {name: len(play.state.packed(name)) for name in ("well", "silent")}
    play.load()
    play.fill("silent", 40, 60)
    play.to(at(59.6))
    packed = play.state.packed("silent")
    again = unpack(*split(packed))

    assert len(play.state.packed("well")) == before["well"]
    assert pack(again).joined() == packed
    assert again.load is not None
    assert {each.reason for each in again.load.ended} == {"danger", "silence"}


def test_what_is_folded_is_marked_and_found_again() -> None:
    play = Loads()
    play.state.live_accounts = 0
    play.told()
    play.load()
    play.fill("silent", 40, 60)
    assert not play.state.live
    play.loaded()

    assert sorted(each.reason for each in play.told()) == ["danger", "digest", "silence"]
    assert play.state.account("silent").load is None


def test_what_pages_hold_already_is_not_told_again(play: Loads) -> None:
    play.load()
    play.fill("silent", 40, 60)
    play.loaded()
    records, first = play.log.records, PartitionState(0)
    effects = Engine(POLICY).apply(first, records)
    assert len(effects.summaries) == 1
    # A worker dies after it wrote every page, and before it wrote the manifest.
    for page in first.pages:
        page.guard = len(records)
    first.guarded, first.position = len(records), len(records) - 1
    first.loads, first.digested = {NAME: at(59.5)}, 0
    before = {name: first.packed(name) for name in first.ids()}
    again = Engine(POLICY).apply(first, records[-1:])

    assert (again.alerts, again.summaries) == ([], [])
    assert {name: first.packed(name) for name in first.ids()} == before


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"\xff", b'{"type":"load","load":""}'])
def test_what_cannot_be_read_is_counted_and_changes_nothing(play: Loads, value: bytes) -> None:
    for kind in ("load", "loaded"):
        play.log.control(kind, value)
        play.apply(play.log.records[-1:])

    assert play.outcome.counts["unknown_control"] == 2
    assert play.state.loads == {}
