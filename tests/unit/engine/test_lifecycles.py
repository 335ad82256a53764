"""Where accounts are in their life, over time, and who moves."""

from __future__ import annotations

from pulse.config import Config
from pulse.config.policy import policy
from pulse.model.time import parse_ts
from pulse.playback.lifecycles import Lifecycles
from pulse.testing.histories import profile, usage
from pulse.testing.playing import Play

DAY_MS = 86_400_000
START_MS = parse_ts("2024-01-01T00:00:00Z")


def lived() -> Lifecycles:
    """One account that is used for 40 days, away for 60, back for 40, then gone; another stays."""
    play, found = Play(policy(Config())), Lifecycles()
    play.add(profile("p", "acme", START_MS, segment="pro"))
    for day in range(340):
        at_ms = START_MS + day * DAY_MS
        play.log.tick(at_ms + 36_000_000)
        if day < 40 or 100 <= day < 140:
            play.log.add(usage(f"a{day}", "acme", at_ms + 36_000_000))
        play.log.add(usage(f"b{day}", "busy", at_ms + 36_000_000))
        play.log.tick(at_ms + DAY_MS + 2_000)
    effects = play.engine.apply(play.state, play.log.records)
    found.take(effects.moves)
    return found


def test_the_moves_of_a_life() -> None:
    days = list(lived().days())
    pro = [each for each in days if each["segment"] == "pro"]

    moves = [(each["day"], [(m["from"], m["to"]) for m in each["moves"]]) for each in pro]
    assert moves == [
        ("2024-01-01", [(None, "new")]),
        ("2024-01-30", [("new", "current")]),
        ("2024-03-09", [("current", "dormant")]),
        ("2024-04-10", [("dormant", "resurrected")]),
        ("2024-05-09", [("resurrected", "current")]),
        ("2024-06-17", [("current", "dormant")]),
        ("2024-11-15", [("dormant", "churned")]),
    ]
    assert pro[-1]["accounts"] == {
        "new": 0, "current": 0, "resurrected": 0, "dormant": 0, "churned": 1,
    }  # fmt: skip


def test_counts_hold_at_every_day() -> None:
    for day in lived().days():
        assert sum(day["accounts"].values()) == 1
        assert min(day["accounts"].values()) >= 0


def test_who_changes_its_segment_is_counted_in_one() -> None:
    play, found = Play(policy(Config())), Lifecycles()
    play.log.tick(START_MS)
    play.log.add(profile("p1", "acme", START_MS, segment="small"))
    for day in range(80):
        at_ms = START_MS + day * DAY_MS
        play.log.tick(at_ms + 37_000_000)
        if day < 40:
            play.log.add(usage(f"a{day}", "acme", at_ms + 36_000_000))
        if day == 35:
            play.log.add(profile("p2", "acme", at_ms + 37_000_000, segment="big"))
        play.log.tick(at_ms + DAY_MS + 2_000)
    found.take(play.engine.apply(play.state, play.log.records).moves)

    last = {each["segment"]: each for each in found.days()}
    assert sum(last["small"]["accounts"].values()) == 0
    assert last["big"]["accounts"]["dormant"] == 1
    # On the day of the move to `big` there is a row that says that `small` has nobody any more.
    assert (last["small"]["day"], last["small"]["moves"]) == (last["big"]["day"], [])
