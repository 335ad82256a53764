"""Strategies: what may happen to a few accounts, as the lines and ticks of a log.

A history is a list of small steps, so that a failing one shrinks to the few that matter. Times are
near a change of clocks and of the day, and the rules are short, so that much happens in little.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from hypothesis import strategies as st

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import FIRST_DAY
from pulse.engine.columns import LOAD_HEADER
from pulse.engine.control import forget, rename, source
from pulse.engine.fleet import FleetLine, Summary, version
from pulse.model.time import parse_ts
from pulse.testing.histories import Log, profile, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.engine import Policy

START_MS = parse_ts("2024-03-28T22:58:30Z")
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
ACCOUNTS = ("a", "b", "c", "d", "e")
ZONES = ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/St_Johns", "Europe/Berlin")


SIGNALS: dict[str, Any] = {
    "silence": {"days": 2, "min_active_days": 2},
    "champion_gone": {"days": 1, "min_events": 2},
    "feature_abandoned": {"days": 1, "min_events": 1},
    "unused_seats": {
        "min_seats": 2,
        "by_age": [{"from_days": 0, "below": 0.4}, {"from_days": 30, "below": 0.9}],
    },
    "outgrows_seats": {"min_seats": 1},
    "stalled_onboarding": {
        "steps": [
            {"event": "big", "within_days": 1},
            {"event": "step", "within_days": 3},
            {"event": "check_in", "within_days": 2},  # which is a fact as well
        ]
    },
    "check_in_overdue": {"days": 2},
    "renewal_at_risk": {"days": 3},
    "ready_to_ask": {"score": 60, "days": 2, "min_users": 1},
    "card_expiring": {"days": [3, 1]},
    "support_waiting": {"hours": 2},
    "bug_open": {"days": 1},
    "detractor": {"days": 5},
}
FACTS: dict[str, list[dict[str, Any]]] = {
    "payment_failed": [{}, {"value": 5}],
    "payment_recovered": [{}],
    "card_updated": [
        {"expires_at": "2024-04"}, {"expires_at": "2024-04-09T10:00:00Z"}, {"expires_at": "soon"}
    ],
    "subscription_cancelled": [{}, {"value": 5}],
    "subscription_resumed": [{}],
    "support_opened": [{}, {"id": 1}, {"id": "two"}],
    "support_answered": [{}, {"id": 1}, {"id": "two"}],
    "bug_reported": [{"id": 1}],
    "bug_closed": [{"id": 1}],
    "nps": [{"score": 0}, {"score": 10}, {"score": None}],
    "csat": [{"score": 1.5}, {"score": 5}],
    "check_in": [{}],
}  # fmt: skip
"""What events say of an account, and the properties that they say it with."""


HOLIDAYS = [
    {"days": ["2024-03-29", "2024-04-01", "2024-04-02", "2024-04-03"], "countries": ["DE"]},
    {"days": ["2024-03-31", "2024-04-08", "2024-04-09"]},
]


def rules(
    dwell: str = "1h", source: str = "fixed", holidays: Sequence[dict[str, Any]] = ()
) -> Policy:
    """Rules by which a few days are a long time."""
    return policy(
        Config.model_validate(
            {
                "usage": {
                    "weights": [{"event": "ping", "weight": 0}, {"event": "big", "weight": 2.5}],
                    "ignore": [{"user": "bot"}, {"property": "properties.test", "equals": True}],
                    "active": {"window": {"28d": {"events": 2}}},
                    "key_features": ["f1", "f[23]"],
                },
                "scorecard": [
                    {"measure": "active_days", "window": "7d", "weight": 30, "target": 3},
                    {
                        "measure": "active_users",
                        "window": "7d",
                        "weight": 20,
                        "target": {"per_seat": 1.0},
                    },
                    {
                        "measure": "events",
                        "window": "7d",
                        "weight": 20,
                        "target": {"of_baseline": 1.0},
                    },
                    {"measure": "value_per_mrr", "window": "28d", "weight": 10, "target": 1},
                    {"measure": "features", "window": "84d", "weight": 10, "target": 3},
                    {"measure": "recency_days", "weight": 30, "floor": 3, "target": 0},
                    {"measure": "trend", "weight": 10, "floor": 0.2, "target": 1},
                    {"measure": "key_features", "window": "7d", "weight": 10, "target": 2},
                ],
                "line": {
                    "from": source,
                    "enter": 50,
                    "exit": 60,
                    "approach": 70,
                    "dwell": dwell,
                    "min_history_days": 1,
                    "min_active_days": 2,
                },
                "segments": {"large": {"line": {"enter": 65, "exit": 75, "approach": 85}}},
                "lifecycle": {"new_days": 2, "dormant_after_days": 3, "churned_after_days": 9},
                "signals": SIGNALS,
                "holidays": holidays,
            }
        )
    )


POLICIES = [
    rules("0s"), rules("90s"), rules("1h"), rules("1d"), rules("0s", "fleet"), rules("1h", "fleet"),
    rules("0s", holidays=HOLIDAYS), rules("1h", holidays=HOLIDAYS),
]  # fmt: skip


class Item(NamedTuple):
    """One thing in the log: a line of an account, or a control record for it or for everybody."""

    at_ms: int
    account: str | None
    value: bytes
    kind: str | None = None
    loaded: bool = False


@dataclass(frozen=True)
class Use:
    """Somebody did something, `back_ms` ago."""

    account: str
    user: str | None
    event: str
    feature: str | None
    value: float | None
    source: str | None
    back_ms: int
    test: bool


@dataclass(frozen=True)
class Say:
    """An event that says something of its account, `back_ms` ago."""

    account: str
    event: str
    properties: dict[str, Any]
    user: str | None
    back_ms: int


@dataclass(frozen=True)
class Know:
    """A profile record, `back_ms` old."""

    account: str
    facts: dict[str, Any]
    back_ms: int


@dataclass(frozen=True)
class Again:
    """An earlier line comes once more."""

    number: int


@dataclass(frozen=True)
class Pass:
    """Time goes on; mostly with a tick."""

    ms: int
    tick: bool


@dataclass(frozen=True)
class Control:
    """Played history begins or ends, or a load."""

    kind: str


@dataclass(frozen=True)
class Bring:
    """A line comes of a load."""

    line: Use | Say


@dataclass(frozen=True)
class Lay:
    """A line of the fleet comes, that holds for days from `ahead_ms` on."""

    enter: dict[str, int]
    ahead_ms: int


@dataclass(frozen=True)
class Count:
    """A summary of other partitions comes."""

    back_days: int


@dataclass(frozen=True)
class Source:
    """A source stops, or runs again, since `back_ms` ago."""

    name: str
    state: Literal["stopped", "running"]
    back_ms: int


@dataclass(frozen=True)
class Forget:
    """An account is erased, or a user: of that account, of all where there is none."""

    account: str | None
    user: str | None


@dataclass(frozen=True)
class Rename:
    """An account goes on as another one."""

    account: str
    to: str


Step = Use | Say | Know | Again | Pass | Control | Lay | Count | Source | Forget | Rename | Bring

uses = st.builds(
    Use,
    account=st.sampled_from(ACCOUNTS),
    user=st.sampled_from(["u1", "u2", "u3", None, "bot"]),
    event=st.sampled_from(["used", "used", "big", "ping", "step"]),
    feature=st.sampled_from(["f1", "f2", "f3", None]),
    value=st.sampled_from([None, 1, 2.5, -3]),
    source=st.sampled_from([None, "crm"]),
    back_ms=st.sampled_from(
        [0, 0, 0, 700, 20_000, MINUTE_MS, 3 * HOUR_MS, 2 * DAY_MS, 91 * DAY_MS, -59 * MINUTE_MS,
         -61 * MINUTE_MS]
    ),
    test=st.sampled_from([False, False, False, True]),
)  # fmt: skip
says = st.builds(
    lambda account, what, user, back_ms: Say(account, what[0], what[1], user, back_ms),
    st.sampled_from(ACCOUNTS),
    st.sampled_from([(event, each) for event, some in FACTS.items() for each in some]),
    st.sampled_from([None, "u1", "u2"]),
    st.sampled_from([0, 0, 0, 700, 20_000, 3 * HOUR_MS, 2 * DAY_MS, -59 * MINUTE_MS]),
)
facts = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from([*ZONES, None]),
        "seats": st.sampled_from([1, 3, None]),
        "mrr": st.sampled_from([1.0, 50.0, None]),
        "segment": st.sampled_from(["large", None]),
        "country": st.sampled_from(["DE", None]),
        "name": st.just("Somebody Ltd"),
        "started_at": st.sampled_from([START_MS - 29 * DAY_MS, START_MS, START_MS + DAY_MS, None]),
        "renewal_at": st.sampled_from([START_MS + 4 * DAY_MS, START_MS + 9 * DAY_MS, None]),
    },
)
knows = st.builds(
    Know, st.sampled_from(ACCOUNTS), facts, st.sampled_from([0, 0, 20_000, 2 * HOUR_MS])
)
passes = st.builds(
    Pass,
    st.sampled_from(
        [SECOND_MS, 2 * SECOND_MS, 40 * SECOND_MS, 62 * SECOND_MS, 20 * MINUTE_MS, HOUR_MS,
         11 * HOUR_MS, DAY_MS, 3 * DAY_MS, 12 * DAY_MS, 100 * DAY_MS]
    ),
    st.sampled_from([True, True, True, False]),
)  # fmt: skip
boundaries = st.builds(Control, st.sampled_from(["history", "live"]))
controls = st.one_of(boundaries, st.builds(Control, st.sampled_from(["load", "loaded"])))
brings = st.builds(Bring, st.one_of(uses, says))
lays = st.builds(
    Lay,
    st.dictionaries(st.sampled_from(["", "large"]), st.integers(0, 700)),
    st.sampled_from([-2 * DAY_MS, 0, HOUR_MS, 11 * HOUR_MS, DAY_MS]),
)
counts = st.builds(Count, st.sampled_from([0, 0, 1, 2]))
again = st.builds(Again, st.integers(0, 50))
sources = st.builds(
    Source,
    st.sampled_from(["default", "crm"]),
    st.sampled_from(["stopped", "running"]),
    st.sampled_from([0, 0, SECOND_MS, HOUR_MS, 2 * DAY_MS, -2 * DAY_MS]),
)

forgets = st.one_of(
    st.builds(Forget, st.sampled_from(ACCOUNTS), st.none()),
    st.builds(
        Forget, st.sampled_from([*ACCOUNTS, None]), st.sampled_from(["u1", "u2", "u3", "bot"])
    ),
)

busy_days = st.lists(
    st.tuples(st.lists(uses, min_size=1, max_size=4), st.just([Pass(DAY_MS, True)])),
    min_size=2,
    max_size=6,
).map(lambda days: [step for uses, night in days for step in (*uses, *night)])
"""Some days with use on each, without which no account is ever known well enough."""

eventful_days = st.lists(
    st.tuples(st.lists(st.one_of(says, says, uses), min_size=1, max_size=4), passes),
    min_size=1,
    max_size=6,
).map(lambda days: [step for said, night in days for step in (*said, night)])
"""Much is said of the accounts."""

usual = [uses, uses, passes, passes, says, says, knows, again, lays, counts, sources]
anything = st.lists(st.one_of(*usual, controls, forgets, brings), max_size=30)

loading = st.lists(st.one_of(brings, brings, uses, says, passes), min_size=1, max_size=9).map(
    lambda within: [Control("load"), *within, Pass(MINUTE_MS, True), Control("loaded")]
)
"""A load with what comes meanwhile."""

outages = st.lists(
    st.tuples(sources, st.lists(st.one_of(passes, uses), min_size=1, max_size=3)),
    min_size=1,
    max_size=6,
).map(lambda parts: [step for source, others in parts for step in (source, *others)])
"""Sources stop and run again, now and then together."""

renames = st.builds(Rename, st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS))
renamed = st.lists(
    st.tuples(st.lists(st.one_of(uses, says, knows, again), max_size=3), renames, passes),
    min_size=1,
    max_size=4,
).map(lambda parts: [step for said, *others in parts for step in (*said, *others)])
"""Accounts are renamed, some to such as are known, some in a circle."""


erasures = st.lists(
    st.tuples(
        st.lists(st.one_of(says, uses), min_size=1, max_size=4),
        forgets,
        st.lists(st.one_of(says, uses, passes, again), max_size=4),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: [step for before, gone, after in parts for step in (*before, gone, *after)])
"""Who does something is forgotten, and comes again."""


def _items(steps: Iterable[Step], now_ms: int = START_MS, first: int = 0) -> list[Item]:
    items: list[Item] = []
    lines: list[Item] = []
    for number, step in enumerate(steps, first):
        match step:
            case Pass(ms, tick):
                now_ms += ms
                if tick:
                    items.append(Item(now_ms, None, b'{"ts":%d}' % now_ms, "tick"))
            case Control(kind):
                items.append(Item(now_ms, None, b'{"type":"","load":"load"}', kind))
            case Bring(line):
                item = _items([line], now_ms, number)[0]
                lines.append(item._replace(loaded=True))
                items.append(lines[-1])
            case Lay(enter, ahead_ms):
                # Days of the future: what a partition makes of its own accounts comes before.
                line = FleetLine(_day(now_ms) + 10_000 + number, now_ms + ahead_ms, enter)
                items.append(Item(now_ms, None, line.record().value, "line"))
            case Source(name, state, back_ms):
                record = source(name, state, now_ms - back_ms)
                items.append(Item(now_ms, None, record.value, "source"))
            case Forget(account, user):
                record = forget(account, user, now_ms)
                items.append(Item(now_ms, account, record.value, "forget"))
            case Rename(account, to):
                items.append(Item(now_ms, None, rename(account, to, now_ms).value, "rename"))
            case Count(back_days):
                summary = Summary(version(_day(now_ms) - back_days), 0, {"": {300: 5}}, {})
                items.append(Item(now_ms, None, summary.record().value, "summary"))
            case Again(which):
                if lines:
                    items.append(lines[which % len(lines)])
            case Know(account, said, back_ms):
                at_ms = now_ms - back_ms
                lines.append(Item(at_ms, account, profile(f"n{number}", account, at_ms, **said)))
                items.append(lines[-1])
            case Say(account, event, properties, user, back_ms):
                at_ms = now_ms - back_ms
                fields: dict[str, Any] = {} if user is None else {"user_id": user}
                fields |= {"event": event, "properties": properties}
                raw = usage(f"n{number}", account, at_ms, **fields)
                lines.append(Item(at_ms, account, raw))
                items.append(lines[-1])
            case Use():
                lines.append(_line(number, step, now_ms - step.back_ms))
                items.append(lines[-1])
    now_ms += 10 * SECOND_MS
    items.append(Item(now_ms, None, b'{"ts":%d}' % now_ms, "tick"))
    return items


def _day(at_ms: int) -> int:
    return FIRST_DAY + at_ms // DAY_MS


def _line(number: int, use: Use, at_ms: int) -> Item:
    said = {"feature": use.feature, "value": use.value, "test": use.test}
    fields: dict[str, Any] = {"event": use.event, "user_id": use.user, "properties": said}
    if use.source is not None:
        fields["source"] = use.source
    return Item(at_ms, use.account, usage(f"n{number}", use.account, at_ms, **fields))


def histories_of(parts: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Item]]:
    """Some parts one after the other."""
    return st.builds(
        lambda known, parts: _items([*known, *(step for part in parts for step in part)]),
        st.lists(knows, max_size=3),
        st.lists(parts, max_size=4),
    )


histories = histories_of(st.one_of(busy_days, eventful_days, outages, erasures, loading, anything))
"""What happened, in the order of the log; the last item is a tick."""

usual_histories = histories_of(
    st.one_of(
        busy_days, eventful_days, outages, st.lists(st.one_of(*usual, boundaries), max_size=30)
    )
)
"""The same without loads and without anybody who is forgotten."""

histories_with_renames = histories_of(
    st.one_of(busy_days, renamed, renamed, eventful_days, outages, erasures, loading, anything)
)
"""The same where accounts are renamed."""


def log_of(items: Sequence[Item]) -> Log:
    """One record an item."""
    log = Log()
    for item in items:
        add(log, item)
    return log


def add(log: Log, item: Item) -> None:
    """Append an item as a record."""
    if item.kind is not None:
        log.control(item.kind, item.value)
    elif item.loaded:
        log.add(item.value, (LOAD_HEADER, b"load"))
    else:
        log.add(item.value)
