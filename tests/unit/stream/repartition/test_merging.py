"""What partitions know of the whole, part by part, becomes what each new one knows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pulse.engine.fleet import FleetLine
from pulse.engine.heard import SLOT_MS, Heard
from pulse.engine.outages import Outage
from pulse.errors import PulseError
from pulse.stream.repartition.merging import merged
from pulse.stream.state.pages import Context

LINE, NEXT = FleetLine(7, 700, {"": 400}), FleetLine(8, 800, {"": 410})
BASE = Context(
    offset=17,
    clock_ms=5_000,
    first_tick_ms=100,
    historical=False,
    config="0a1b2c3d4e5f",
    summed_day=8,
    summed_config="0a1b2c3d4e5f",
    told_ms=900,
    lines=(LINE, NEXT),
    outages=(Outage("web", 400, 600), Outage("app", 500)),
    heard={"web": Heard(SLOT_MS, 0b11)},
    digested=3,
    loads={"load-1": 4_000},
)


def with_(**others: Any) -> Context:
    return msgspec.structs.replace(BASE, **others)


def test_what_all_say_alike_is_so() -> None:
    assert merged([BASE, BASE, BASE], offset=2) == with_(offset=2)
    assert merged([BASE]) == with_(offset=0)


def test_the_clock_is_the_greatest() -> None:
    assert merged([BASE, with_(clock_ms=5_001), with_(clock_ms=None)]).clock_ms == 5_001
    assert merged([with_(clock_ms=None)] * 2).clock_ms is None


def test_it_began_where_it_began_first() -> None:
    ticks = [with_(first_tick_ms=each) for each in (101, 100, None)]
    assert merged(ticks).first_tick_ms == 100
    assert merged([with_(first_tick_ms=None)] * 2).first_tick_ms is None


def test_nothing_is_counted_twice() -> None:
    other = with_(summed_day=9, digested=4, told_ms=0, summed_config="")
    for contexts in ([BASE, other], [other, BASE]):
        found = merged(contexts)
        assert (found.summed_day, found.digested, found.told_ms) == (9, 4, 0)
        # The rounds begin in partition 0.
        assert found.summed_config == contexts[0].summed_config


def test_a_line_that_only_some_still_need_is_kept() -> None:
    assert merged([with_(lines=(NEXT,)), BASE]).lines == (LINE, NEXT)
    assert merged([with_(lines=())] * 2).lines == ()


def test_outages_are_those_by_which_partition_0_tells_of_them() -> None:
    tick_later = (Outage("web", 401, 601), Outage("app", 501))
    assert merged([BASE, with_(outages=tick_later)]).outages == BASE.outages
    assert merged([with_(outages=tick_later), BASE]).outages == tick_later
    # What has ended is forgotten by each clock in its time.
    assert merged([BASE, with_(outages=tick_later[1:])]).outages == BASE.outages


def test_a_source_is_regular_where_all_have_heard_it_regularly() -> None:
    later = {"web": Heard(2 * SLOT_MS + 5, 0b110), "crm": Heard(SLOT_MS, 1)}
    for contexts in ([BASE, with_(heard=later)], [with_(heard=later), BASE]):
        assert merged(contexts).heard == {"web": Heard(SLOT_MS, 0b11)}
    seldom = {"web": Heard(SLOT_MS + 5, 0b101)}
    assert merged([BASE, with_(heard=seldom)]).heard == {"web": Heard(SLOT_MS, 0b01)}
    ages_ago = {"web": Heard(1_000 * SLOT_MS, 0b11)}
    assert merged([BASE, with_(heard=ages_ago)]).heard == {"web": Heard(SLOT_MS, 0)}


def test_a_load_goes_on_since_it_was_last_said_anywhere() -> None:
    assert merged([BASE, with_(loads={"load-1": 4_001})]).loads == {"load-1": 4_001}


def test_the_configuration_is_the_one_that_any_log_says() -> None:
    assert merged([with_(config=None), BASE]).config == BASE.config
    assert merged([with_(config=None)] * 2).config is None
    with pytest.raises(PulseError, match="different configurations: 000000000000, 0a1b2c3d4e5f"):
        merged([BASE, with_(config="0" * 12)])


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"historical": True}, "whether a history is played"),
        ({"lines": (LINE,)}, "on the fleet's line"),
        ({"lines": ()}, "on the fleet's line"),
        ({"outages": (Outage("app", 500, 700),)}, "on which sources are stopped"),
        ({"loads": {}}, "on which loads go on"),
        ({"loads": {"load-1": 4_000, "load-2": 4_000}}, "on which loads go on"),
    ],
)
def test_where_a_record_has_not_come_to_all_it_is_refused(other: dict[str, Any], what: str) -> None:
    with pytest.raises(PulseError, match=f"partitions 0 and 2 do not agree {what}"):
        merged([BASE, BASE, with_(**other)])


def test_no_part_is_forgotten() -> None:
    """A part that is new has its default where nobody says what becomes of it."""
    parts = set(Context.__struct_fields__)
    unlike_defaults = {name for name in parts if getattr(BASE, name) != getattr(EMPTY, name)}
    assert unlike_defaults == parts - {"historical"}


EMPTY = Context(0, None, None, False, None, 0, "", 0, ())
