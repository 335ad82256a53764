"""The page of the fleet: where its accounts stand, where they went, and which reasons are right."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Query, Request, Response

from pulse.alerting.people.precision import by_reason, proposals
from pulse.config import Config
from pulse.history import FleetDay, History, LifecycleMove, ZoneMove
from pulse.refusals import Refusal
from pulse.web.api.asking import Shared
from pulse.web.lists import beside, remembered
from pulse.web.pages.frame import path_of, signed_in, to_sign_in
from pulse.web.pages.holding import held_lines, of_their_own
from pulse.web.pages.plots import NARROW, WIDE, Distribution, Stack, Told, distribution, stack, told
from pulse.web.pages.views import page

router = APIRouter(include_in_schema=False, default_response_class=Response)

SPANS: Final = {"28d": 28, "90d": 90, "1y": 365}
_SPANS_SAID: Final = {"28d": "28 days", "90d": "90 days", "1y": "a year"}
_SIZES: Final = (("wide", WIDE), ("narrow", NARROW))
_ZONES: Final = ("danger", "approaching", "unknown", "healthy")
_LIFECYCLES: Final = ("churned", "dormant", "new", "resurrected", "current")
_COMPARED_DAYS: Final = 28

Span = Annotated[str, Query(alias="span", max_length=10)]
Segment = Annotated[str | None, Query(max_length=256)]


class Figure(NamedTuple):
    """A number of today, and the same 28 days before; None where that is not known."""

    name: str
    now: float
    then: float | None
    mrr: float
    all: float
    """Accounts of all zones."""
    all_mrr: float
    more_is: str
    """"worse" or "better"."""


@router.get("/fleet")
async def fleet(
    request: Request, service: Shared, span: Span = "90d", segment: Segment = None
) -> Response:
    """How all accounts stand, and how that came."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    segment = segment or None  # the form says `segment=` for all
    if span not in SPANS:
        raise Refusal(400, "span", f"a span is one of {', '.join(SPANS)}")
    said = list(service.books.outcomes)
    seen, is_away = None, False
    if service.history is not None:
        kept, days = service.history, SPANS[span]
        seen, is_away = await remembered(lambda: look(kept, days, segment, service.config))
    tallies, noisy = await beside(lambda: (by_reason(said), proposals(said)))
    return page(
        "fleet.html",
        at="/fleet",
        seen=seen,
        is_away=is_away,
        is_kept=service.history is not None,
        span=span,
        spans=_SPANS_SAID,
        segment=segment,
        tallies=sorted(tallies.items(), key=lambda each: -each[1].judged),
        proposals=noisy,
        **signed_in(service, session),
    )


def look(history: History, days: int, segment: str | None, config: Config) -> dict[str, Any] | None:
    """All that the page shows of a history; None where there is none yet.

    The newest day has not begun everywhere: the one before it is the last that is shown.
    """
    newest = history.newest()
    if newest is None:
        return None
    last = newest - timedelta(days=1)
    since = last - timedelta(days=max(days, _COMPARED_DAYS + 1))
    rows = [each for each in history.fleet(since, segment) if each.day <= last]
    shown = sorted({each.day for each in rows if each.day > last - timedelta(days=days)})
    if not shown:
        return None
    # Who has left keeps a zone, but is in none of Today's.
    there = [each for each in rows if each.lifecycle != "churned"]
    first = last - timedelta(days=days)
    found = history.lines(shown[-1], shown[-1])
    lines = held_lines(config, found)
    line = lines.all if segment is None else lines.of(segment)
    counts = history.distribution(shown[-1], segment)
    return {
        "day": shown[-1],
        "segments": [each for each in history.segments() if each],
        "figures": _figures(there, shown[-1]),
        "zones": _stacked("zone", shown, _by(there, shown, "zone", _ZONES)),
        "lifecycles": _stacked("stage of life", shown, _by(rows, shown, "lifecycle", _LIFECYCLES)),
        "moves": _moves(history.moves(first, segment), last),
        "turns": _moves(history.lifecycle_moves(first, segment), last),
        "distribution": distributions(counts, line.enter, line.approach),
        "line": line.enter,
        "own": of_their_own(lines, found) if segment is None else [],
    }


class Stacked(NamedTuple):
    """What is stacked day by day."""

    plots: list[tuple[str, Stack]]
    """For a wide page, and for a narrow one; none where there are too few days."""
    told: Told


def _stacked(what: str, days: Sequence[date], parts: Mapping[str, Sequence[float]]) -> Stacked:
    drawn = ((kind, stack(days, parts, size)) for kind, size in _SIZES)
    plots = [(kind, each) for kind, each in drawn if each is not None]
    return Stacked(plots, told(what, days, parts))


def distributions(
    counts: Sequence[int], enter: float, approach: float
) -> list[tuple[str, Distribution]]:
    """The same for a wide page and for a narrow one."""
    return [(kind, distribution(counts, enter, approach, size)) for kind, size in _SIZES]


def _figures(rows: Iterable[FleetDay], last: date) -> list[Figure]:
    before = last - timedelta(days=_COMPARED_DAYS)
    now: dict[str, float] = defaultdict(float)
    mrr: dict[str, float] = defaultdict(float)
    then: dict[str, float] = defaultdict(float)
    has_then = False
    for row in rows:
        if row.day == last:
            now[row.zone] += row.accounts
            mrr[row.zone] += row.mrr
        elif row.day == before:
            then[row.zone] += row.accounts
            has_then = True
    all_now, all_mrr = sum(now.values()), sum(mrr.values())
    return [
        Figure(zone, now[zone], then[zone] if has_then else None, mrr[zone], all_now, all_mrr, word)
        for zone, word in (("danger", "worse"), ("approaching", "worse"), ("healthy", "better"))
    ]


def _by(
    rows: Iterable[FleetDay], days: Sequence[date], what: str, names: Sequence[str]
) -> dict[str, list[float]]:
    """How many accounts of each name, for each of the days."""
    place = {day: at for at, day in enumerate(days)}
    out = {name: [0.0] * len(days) for name in names}
    for row in rows:
        if row.day in place:
            out[getattr(row, what)][place[row.day]] += row.accounts
    return out


def _moves(
    moves: Iterable[ZoneMove | LifecycleMove], last: date
) -> list[tuple[str, str, int, int]]:
    """From where to where, how many in the last week and in the span; the most frequent first."""
    week: dict[tuple[str, str], int] = defaultdict(int)
    span: dict[tuple[str, str], int] = defaultdict(int)
    for move in moves:
        if move.day > last:
            continue
        way = (move.was or "new to pulse", str(move.now))
        span[way] += move.accounts
        if move.day > last - timedelta(days=7):
            week[way] += move.accounts
    return sorted(
        ((was, now, week[was, now], times) for (was, now), times in span.items()),
        key=lambda each: (-each[3], each[0], each[1]),
    )
