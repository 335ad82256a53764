"""The report that a customer-success lead reads: one HTML file with everything in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import jinja2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from pulse.calibration.lines import alerts_of, count
from pulse.calibration.scores import NEVER
from pulse.calibration.words import (
    NO_ALERT,
    NOTHING_LEARNT,
    never_judged,
    note_of_weight,
    who_left,
    why_no_better,
)
from pulse.engagement.days import DAY_MS
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pulse.calibration.choice import Choice, Shape
    from pulse.calibration.lines import Period, Terms
    from pulse.calibration.scores import DayScores
    from pulse.calibration.weights import Proposal

BIN: Final = 5
"""Points of score in a bar."""
MOST_ROWS: Final = 200
"""Accounts that a table lists at most."""

_BLUE, _RED, _GREY = "#3465a4", "#c0392b", "#888888"
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pulse",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Warned(NamedTuple):
    """An account that the line warned of: when, and when it left if it did."""

    account_id: str
    alert: str
    left: str | None
    days: int | None


@dataclass(frozen=True)
class Part:
    """Accounts with a line of their own: all, or those of a segment."""

    name: str
    choice: Choice
    scores: DayScores
    shape: Shape


@dataclass(frozen=True)
class Setting:
    """What the lines were tried with; periods are those of the choice."""

    terms: Terms
    earlier: Period
    later: Period
    made: Mapping[str, Any]


def render(
    parts: Sequence[Part],
    setting: Setting,
    proposal: Proposal | None,
    weights: Mapping[str, float],
) -> str:
    """The report as one HTML document; it loads nothing from anywhere."""
    template = (resources.files("pulse.calibration") / "report.html.j2").read_text()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["number"] = _number
    with mpl.rc_context(_STYLE):
        sections = [_section(part, setting) for part in parts]
        ranked = None if proposal is None else _ranked(proposal)
    return environment.from_string(template).render(
        sections=sections,
        proposal=proposal,
        weights=weights,
        notes={}
        if proposal is None
        else {name: note_of_weight(proposal, name) for name in proposal.weights},
        nothing_learnt=NOTHING_LEARNT,
        no_alert=NO_ALERT,
        ranked=ranked,
        made=setting.made,
        terms=setting.terms,
        most_rows=MOST_ROWS,
    )


def rate_by_score(
    scores: DayScores, setting: Setting
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Of the account days in each bin of scores: where it begins, how many a leaving follows in
    time (a share, NaN where there are none), and how many there are.
    """
    edges = np.arange(0, 100, BIN, dtype=np.float64)
    all_days, leaving = np.zeros(len(edges), np.int64), np.zeros(len(edges), np.int64)
    terms, later = setting.terms, setting.later
    until = min(later.end, later.known_until - terms.horizon_days)
    for day in range(setting.earlier.start, until):
        row, before = scores.table[day], scores.churned - day
        judged = np.isfinite(row) & (before >= terms.notice_days) & (before > 0)
        place = np.minimum(row[judged] // BIN, len(edges) - 1).astype(np.intp)
        soon = before[judged] <= terms.horizon_days
        all_days += np.bincount(place, minlength=len(edges))
        leaving += np.bincount(place[soon], minlength=len(edges))
    with np.errstate(invalid="ignore"):
        return edges, leaving / all_days, all_days


def warned(part: Part, setting: Setting) -> tuple[list[Warned], list[Warned]]:
    """Of the later part: who left after a warning in time, and who was still there."""
    scores, later, terms = part.scores, setting.later, setting.terms
    shape, enter = part.shape, part.choice.enter
    alerts = alerts_of(scores, enter, enter + shape.gap, shape.dwell_days)

    def date(day: int) -> str:
        return format_ms((scores.first_day + day) * DAY_MS)[:10]

    in_time: dict[int, Warned] = {}
    false_alarms = []
    for stay, day in sorted(zip(alerts.stay.tolist(), alerts.day.tolist(), strict=True)):
        left = int(scores.churned[stay])
        before, name = left - day, scores.ids[stay]
        if max(terms.notice_days, 1) <= before <= terms.horizon_days:
            if later.start <= left < later.end:
                # The first one: a leaving is found once.
                in_time.setdefault(stay, Warned(name, date(day), date(left), before))
        elif later.start <= day < min(later.end, later.known_until - terms.horizon_days) and (
            left == NEVER or before > terms.horizon_days
        ):
            false_alarms.append(Warned(name, date(day), None, None))
    found = sorted(in_time.values(), key=lambda each: (-(each.days or 0), each.account_id))
    return found, sorted(false_alarms, key=lambda each: each.alert)


def _section(part: Part, setting: Setting) -> dict[str, Any]:
    found, false_alarms = warned(part, setting)
    split = setting.made["split"]
    return {
        "name": part.name,
        "choice": part.choice,
        "chosen": part.choice.chosen,
        "who_left": who_left(part.choice, split),
        "never_judged": never_judged(part.choice),
        "why_no_better": why_no_better(part.choice, split),
        "rate": _rate_figure(part, setting),
        "curve": _curve_figure(part),
        "leads": _lead_figure(part, setting),
        "found": found,
        "false_alarms": false_alarms,
    }


def _rate_figure(part: Part, setting: Setting) -> Markup:
    edges, rate, days = rate_by_score(part.scores, setting)
    figure, axes = _axes("score", "leave in time, share of days")
    axes.bar(edges, np.nan_to_num(rate), width=BIN * 0.9, align="edge", color=_BLUE)
    for edge, share, number in zip(edges, rate, days, strict=True):
        if number and math.isfinite(share):
            axes.annotate(
                f"{number:,}", (edge + BIN / 2, share), ha="center", va="bottom", fontsize=6
            )
    axes.axvline(part.choice.enter, color=_RED)
    axes.annotate(
        f" line {part.choice.enter:.0f}", (part.choice.enter, 0.97), color=_RED,
        xycoords=("data", "axes fraction"), va="top",
    )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.margins(y=0.1)
    return _svg(figure, "Churn by score: the lower the score, the more leave.")


def _curve_figure(part: Part) -> Markup:
    figure, axes = _axes("line (enter)", "share")
    candidates = part.choice.candidates
    enters = [each.enter for each in candidates]
    for name, colour in (("precision", _BLUE), ("recall", _GREY)):
        for which, style in (("earlier", ":"), ("later", "-")):
            values = [getattr(getattr(each, which), name) for each in candidates]
            axes.plot(enters, values, style, color=colour, label=f"{name}, {which}")
    axes.axvline(part.choice.enter, color=_RED)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure, "Precision and recall of every line that was tried.")


def _lead_figure(part: Part, setting: Setting) -> Markup:
    shape, enter = part.shape, part.choice.enter
    alerts = alerts_of(part.scores, enter, enter + shape.gap, shape.dwell_days)
    counts = count(alerts, part.scores.churned, setting.later, setting.terms)
    leads = counts.lead_days[np.isfinite(counts.lead_days)]
    figure, axes = _axes("days from the first warning to the leaving", "accounts")
    axes.hist(leads, bins=np.arange(0, setting.terms.horizon_days + 8, 7), color=_BLUE)
    return _svg(figure, "How long before their leaving accounts were warned of.")


def _ranked(proposal: Proposal) -> Markup:
    names = sorted(proposal.adds, key=lambda name: proposal.adds[name])
    figure, axes = _axes("AUC that is lost without it", "", height=0.6 + 0.3 * len(names))
    axes.barh(names, [proposal.adds[name] for name in names], color=_BLUE)
    axes.axvline(0, color=_GREY, linewidth=0.8)
    return _svg(figure, "What each measure adds to the others.")


def _axes(across: str, up: str, height: float = 2.8) -> tuple[Figure, Any]:
    figure = Figure(figsize=(6.4, height), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


def _svg(figure: Figure, description: str) -> Markup:
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    label = Markup('<svg role="img" aria-label="{}" ').format(description)
    return Markup(drawing.replace("<svg ", label, 1))  # matplotlib's own


def _number(value: float, digits: int = 2) -> str:
    return "unknown" if not math.isfinite(value) else f"{value:.{digits}f}"
