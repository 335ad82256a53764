"""Why an account has its score, in sentences: each number with what it is compared with."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from pulse.web.pages.about.weeks import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pulse.engagement.forecast import Crossing
    from pulse.history import DayRow
    from pulse.web.pages.about.measured import Row

_LEAST: Final = 0.05
"""Points below which there is nothing to say of them."""
_MOST_ROWS: Final = 3
_STEADY: Final = 0.05
"""A measure that changed by less is as it was."""
_MOST_NAMES: Final = 5
_NEAR_DAYS: Final = 180
_FARTHEST_DAYS: Final = 3_650
"""A slope whose interval ends near to nothing gives the latest day in thousands of years."""

_NOT_JUDGED: Final = (
    "It is not judged: it is too young, or there is too little data, or a source of its events has "
    "stopped"
)


def why(
    document: Mapping[str, Any],
    rows: Sequence[Row],
    days: Sequence[DayRow] = (),
) -> list[str]:
    """What explains the score of an account's document, the most important first.

    `rows` are its measures, those that lack the most points first; `days` its history, the oldest
    first.
    """
    return [
        *_standing(document),
        *_then(document),
        *_lacking(rows),
        *_turnover(document, "active_users", "users"),
        *_turnover(document, "features", "features"),
        *_last_use(document),
        *_past(days),
    ]


def crosses(day: DayRow, crossing: Crossing) -> str:
    """The projected crossing in words; it counts from that day.

    >>> from pulse.engagement.forecast import Crossing
    >>> from pulse.history import DayRow
    >>> day = DayRow(date(2026, 3, 2), 50.0, "approaching", "current", 40.0, 55.0, 0, 0, 0, 0, 0, 0)
    >>> crosses(day, Crossing(days=8.0, soonest=6.2, latest=11.7, slope=-1.25))
    'If it goes on falling by 1.2 points a day it is below the line in 8 days, on 10 March \
(90 % sure: between 8 March and 14 March).'
    """
    on, soonest, latest = (
        _day_of(day.day + timedelta(min(round(each), _FARTHEST_DAYS)), day.day)
        for each in (crossing.days, crossing.soonest, crossing.latest)
    )
    days = round(crossing.days)
    when = f"in {_count(days, 'day')}, on {on}" if days else "any day now"
    return (
        f"If it goes on falling by {-crossing.slope:.1f} points a day it is below the line {when} "
        f"(90 % sure: between {soonest} and {latest})."
    )


def _day_of(day: date, today: date) -> str:
    """A day soon, without its year where there is no doubt of it."""
    is_near = abs((day - today).days) < _NEAR_DAYS
    return f"{day.day} {day:%B}" if is_near else words_of(day)


def _standing(document: Mapping[str, Any]) -> Iterator[str]:
    zone, score, line = document["zone"], document["score"], document["line"]
    if document["lifecycle"] == "churned":
        yield "It has left: nothing is raised about it any more."
        return
    if zone == "unknown":
        yield f"{_NOT_JUDGED}."
    if score is None:
        yield "It has no score: nothing could be measured."
        return
    beyond = score - line["enter"]
    where = "below" if beyond < 0 else "above"
    said = f"The score is {score:.1f} of 100, {abs(beyond):.1f} {where} the danger line at "
    said += f"{line['enter']:g}"
    if zone == "danger":
        said += f"; from {line['exit']:g} on it is out of danger"
    elif beyond >= 0:
        said += f"; below {line['approach']:g} an account approaches it"
    yield f"{said}."
    since = document["since"]
    if since is not None and zone != "unknown":
        since_day, today = (
            date.fromisoformat(since[:10]),
            date.fromisoformat(document["as_of"][:10]),
        )
        ago = (today - since_day).days
        lasts = (
            "since today" if not ago else f"for {_count(ago, 'day')}, since {words_of(since_day)}"
        )
        words = {"danger": "in danger", "approaching": "approaching danger"}.get(zone, zone)
        yield f"It has been {words} {lasts}."


def _then(document: Mapping[str, Any]) -> Iterator[str]:
    then, score = document["then"], document["score"]
    if score is None:
        return
    if then is None or then["score"] is None:
        yield "What it was 28 days ago is not known: its past is too short."
        return
    change = score - then["score"]
    if abs(change) < _LEAST:
        yield f"28 days ago it was the same, {then['score']:.1f}."
    else:
        moved = "fell" if change < 0 else "rose"
        yield f"28 days ago it was {then['score']:.1f}: it {moved} by {abs(change):.1f}."


def _lacking(rows: Sequence[Row]) -> Iterator[str]:
    lacking = [row for row in rows if row.lacks >= _LEAST][:_MOST_ROWS]
    if not lacking and any(row.has is not None for row in rows):
        yield "Every measure brings all of its points."
    for row in lacking:
        said = f"{row.words[:1].upper()}{row.words[1:]} bring {row.has:.1f} of {row.of:.1f} points"
        if row.now is not None:
            said += f": {_amount(row.now, row)}{f' in {row.over}' if row.over else ''}"
            said += _compared(row)
        if row.full:
            said += f"; all of them need {row.full}"
        yield f"{said}."


def _compared(row: Row) -> str:
    if row.then is None or row.now is None:
        return ", and what it was 28 days ago is not known"
    then, change = _amount(row.then, row), row.change
    if change is None:
        return f", against {then} four weeks before"
    if abs(change) < _STEADY:
        return f", about as four weeks before ({then})"
    by = f"{100 * abs(change):.0f}\N{NO-BREAK SPACE}% {'less' if change < 0 else 'more'}"
    return f", against {then} four weeks before ({by})"


def _turnover(document: Mapping[str, Any], of: str, words: str) -> Iterator[str]:
    found = document.get("turnover", {}).get(of)
    if found is None:
        return
    left, came, here = found["left"], found["came"], found["here"]
    stayed = None if came is None else here - came
    if left and stayed is not None:
        said = f"{left} of {_count(left + stayed, words[:-1])} of the 28 days before "
    elif left:
        said = f"{_count(left, words[:-1])} of the 28 days before "
    else:
        return
    said += "have" if left > 1 else "has"
    said += " not been seen since" if words == "users" else " not been used since"
    names = [each["name"] for each in found["left_names"][:_MOST_NAMES]]
    if names:
        more = left - len(names)
        said += f": {listed([*names, f'{more} more'] if more > 0 else names)}"
    if came is not None:
        said += f"; {came} new" if came else "; no new one came" if words == "users" else ""
    yield f"{said}."


def _last_use(document: Mapping[str, Any]) -> Iterator[str]:
    recency = document["measures"].get("recency_days")
    if recency is None:
        yield "It was never used."
    elif recency >= 1:
        yield f"Nobody has used it for {recency:.1f} days."


def _past(days: Sequence[DayRow]) -> Iterator[str]:
    scores = [day.score for day in days if day.score is not None]
    if len(scores) < 2:
        return
    below = sum(day.zone == "danger" for day in days)
    said = f"In the {_count(len(days), 'day')} since {words_of(days[0].day)} it was between "
    said += f"{min(scores):.0f} and {max(scores):.0f}, "
    yield said + (f"and in danger on {below} of them." if below else "and never in danger.")
    moved = [(a.line, b) for a, b in pairwise(days) if a.line != b.line]
    if moved:
        was, day = moved[-1]
        times = "" if len(moved) == 1 else f" {len(moved)} times, the last time"
        yield (
            f"The line itself was moved{times} on {words_of(day.day)}, from {was:g} to "
            f"{day.line:g}."
        )


def _amount(number: float, row: Row) -> str:
    if row.is_share:
        return f"{100 * number:.0f}\N{NO-BREAK SPACE}%"
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listed(parts: Sequence[str]) -> str:
    """Several things in a row.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
