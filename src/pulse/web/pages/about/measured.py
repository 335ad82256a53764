"""What an account's score is made of: each measure then and now, its points, and its trend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulse.config.scoring import OfBaseline, PerSeat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pulse.config.scoring import ScoreRule
    from pulse.history import DayRow

SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 24
_BAR_WIDTH: Final = 80
_DRAWN: Final = 60
"""Points of a trend, at most."""

WORDS: Final = {
    "active_users": "active users",
    "active_days": "active days",
    "features": "features",
    "events": "events",
    "value": "value",
    "value_per_mrr": "value per MRR",
    "key_features": "key features",
    "recency_days": "days since the last use",
    "active_days_ever": "active days ever",
    "trend": "last week, of a usual one",
}
_ALSO: Final = ("active_users", "active_days", "features", "events", "value")
"""What is shown over 28 days, also where no point depends on it."""


class Row(NamedTuple):
    """A measure of an account. `then` is 28 days before `now`; None where it is not known."""

    words: str
    over: str
    """Over which window, `28 days`; empty where it has none."""
    then: float | None
    now: float | None
    has: float | None
    """Points of the score; None for what is no part of it."""
    of: float | None
    full: str
    """What all of the points need."""
    bar: float
    """The points, in pixels of a bar of 80."""
    spark: str
    """The path of its trend; empty where there is none."""
    is_share: bool
    """Whether `then` and `now` are of 1."""

    @property
    def change(self) -> float | None:
        """By which share it changed over its window; None where there was nothing before."""
        if not self.over or self.then is None or self.now is None or self.then <= 0:
            return None
        return self.now / self.then - 1.0

    @property
    def lacks(self) -> float:
        """Points that it does not bring."""
        return 0.0 if self.has is None or self.of is None else self.of - self.has


def rows(
    document: Mapping[str, Any], rules: Sequence[ScoreRule], days: Sequence[DayRow]
) -> list[Row]:
    """The measures of an account's document, by the scorecard of its segment: those that lack the
    most points first, and then what is no part of the score. `days` are those of its history.
    """
    by_name = {rule.called: rule for rule in rules}
    points, out_of = document["contributions"], document["out_of"]
    found = []
    for name, has in points.items():
        found.append(_row(document, name, by_name.get(name), has, out_of.get(name, has), days))
    found.sort(key=lambda row: (-row.lacks, row.words))
    shown = {(by_name[name].measure, by_name[name].window) for name in points if name in by_name}
    return [*found, *_others(document, shown, days)]


def _row(
    document: Mapping[str, Any],
    name: str,
    rule: ScoreRule | None,
    has: float,
    of: float,
    days: Sequence[DayRow],
) -> Row:
    bar = round(_BAR_WIDTH * has / of, 1) if of else 0.0
    if rule is None:  # of a scorecard that this process does not have
        return Row(name.replace("_", " "), "", None, None, has, of, "", bar, "", False)
    measure, window = rule.measure, rule.window
    words = WORDS[measure] if rule.name is None else rule.name.replace("_", " ")
    return Row(
        words,
        "" if window is None else f"{window[:-1]} days",
        _number(document["then"], document["profile"], measure, window),
        _number(document, document["profile"], measure, window),
        has,
        of,
        _full(rule, document["profile"]),
        bar,
        spark(days, measure) if window == "28d" else "",
        measure == "trend",
    )


def _others(
    document: Mapping[str, Any], shown: set[tuple[Any, Any]], days: Sequence[DayRow]
) -> Iterator[Row]:
    for measure in _ALSO:
        if (measure, "28d") in shown:
            continue
        now = _number(document, document["profile"], measure, "28d")
        then = _number(document["then"], document["profile"], measure, "28d")
        if measure == "value" and ((not now and not then) or _values_are_events(document)):
            continue  # this product's events have none of their own
        yield Row(
            WORDS[measure], "28 days", then, now, None, None, "", 0.0, spark(days, measure), False
        )


def _values_are_events(document: Mapping[str, Any]) -> bool:
    return bool(document["measures"]["value"] == document["measures"]["events"])


def _number(
    said: Mapping[str, Any] | None, profile: Mapping[str, Any], measure: str, window: str | None
) -> float | None:
    if said is None:
        return None
    if measure == "value_per_mrr":
        mrr, value = profile.get("mrr"), _number(said, profile, "value", window)
        return value / mrr if mrr and value is not None else None
    got: Any = said["measures"].get(measure)
    number: float | None = got if window is None or got is None else got[window]
    return number


def _full(rule: ScoreRule, profile: Mapping[str, Any]) -> str:
    target, seats = rule.target, profile.get("seats")
    if isinstance(target, PerSeat):
        each = f"{target.per_seat:g} a seat"
        return each if not seats else f"{target.per_seat * seats:g} ({each})"
    if isinstance(target, OfBaseline):
        return "as much as usual" if target.of_baseline == 1 else (
            f"{100 * target.of_baseline:g} % of what is usual"
        )  # fmt: skip
    return f"{target:g}"


def spark(days: Sequence[DayRow], measure: str) -> str:
    """The path of a measure's 28 days over the days of the history; empty where there is none."""
    if measure not in _ALSO or len(days) < 2:
        return ""
    step = max(len(days) // _DRAWN, 1)
    drawn = list(reversed(days[::-1][::step]))
    first, last = drawn[0].day.toordinal(), drawn[-1].day.toordinal()
    most = max(float(getattr(day, measure)) for day in drawn) or 1.0
    if last == first:
        return ""
    points = [
        (
            1 + (SPARK_WIDTH - 2) * (day.day.toordinal() - first) / (last - first),
            SPARK_HEIGHT - 2 - (SPARK_HEIGHT - 4) * max(getattr(day, measure), 0.0) / most,
        )
        for day in drawn
    ]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
