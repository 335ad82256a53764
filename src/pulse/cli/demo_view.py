"""What `pulse demo` shows: a screen for a terminal, a line now and then for anything else.

Pure: a `DemoState` in, text out.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.text import Text

from pulse.cli.words import count, date_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DRAWN: Final = ("danger", "approaching", "healthy")
"""From the bottom of the chart to its top. `unknown` is nobody's worry and not drawn."""

_COLOURS: Final = {"danger": "red", "approaching": "yellow", "healthy": "green"}
_WITHOUT_COLOUR: Final = {"danger": "█", "approaching": "▒", "healthy": "░"}
_EIGHTHS: Final = " ▁▂▃▄▅▆▇"
_BAR: Final = 20
_DAY_MS: Final = 86_400_000
_MONTH_MS: Final = 30 * _DAY_MS
_REASON_STYLES: Final = {"danger": "bold red", "approaching": "yellow", "silence": "magenta"}
_LEAST_WIDTH: Final = 40


class ShownAlert(NamedTuple):
    """An alert as it arrived at the webhook receiver."""

    at: str
    """The instant it was due, RFC 3339."""
    reason: str
    status: str
    summary: str


@dataclass(slots=True)
class DemoState:
    """What there is to see. `zones` holds (event time, accounts by zone), the oldest first."""

    first_ms: int
    last_ms: int
    phase: str = "starting"
    at_ms: int | None = None
    """How far the play is, in event time."""
    elapsed_s: float = 0.0
    zones: list[tuple[int, Mapping[str, int]]] = field(default_factory=list)
    alerts: deque[ShownAlert] = field(default_factory=lambda: deque(maxlen=50))
    """The newest come first."""
    fired: Counter[str] = field(default_factory=Counter)
    """Alerts that began, by reason, as counted by the worker."""
    events: int = 0
    """As counted by the worker."""
    events_per_s: float = 0.0
    verified: int = 0
    """Webhooks accepted, whose signature was right."""
    unverified: int = 0
    failed_on_purpose: int = 0
    """Webhooks that the receiver answered with an error, to see them come again."""
    unsent: int = 0
    """Webhooks that were never sent: at the demo's pace the alert had ended before."""
    addresses: dict[str, str] = field(default_factory=dict)
    """What there is to look at from outside: name → address."""
    page: str = ""
    """The link that opens the page, signed in."""

    @property
    def share(self) -> float:
        """How much of the event time has been played, 0 to 1."""
        if self.at_ms is None:
            return 0.0
        span_ms = max(self.last_ms - self.first_ms, 1)
        return min(max((self.at_ms - self.first_ms) / span_ms, 0.0), 1.0)


def screen(state: DemoState, width: int, height: int, *, colour: bool = True) -> Text:
    """The whole screen, `height` lines at most, each no wider than `width`."""
    width, height = max(width, _LEAST_WIDTH), max(height, 8)
    foot = _foot(state)
    room = height - 1 - len(foot) - 3  # the title, the chart's legend, two headings
    chart_rows = max(min(room * 3 // 5, 14), 2)
    alert_rows = max(room - chart_rows, 1)
    lines = [
        _title(state, width),
        _heading("accounts by zone, over the years", width),
        *chart(state, width, chart_rows, colour=colour),
        _legend(state, colour=colour),
        _heading("newest alerts: + began, - ended", width),
        *_alerts(state, alert_rows),
        *foot,
    ]
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines[:height])


def plain_line(state: DemoState) -> str:
    """The same in one line, for a log."""
    when = "----------" if state.at_ms is None else date_of(state.at_ms)
    zones = state.zones[-1][1] if state.zones else {}
    parts = [f"{zones.get(zone, 0)} {zone}" for zone in (*DRAWN, "unknown")]
    text = (
        f"{when}  {state.share:4.0%}  {', '.join(parts)}; {count(state.events, 'event')}; "
        f"{count(state.fired.total(), 'alert')}, {count(state.verified, 'webhook')} verified"
    )
    return f"{text}; {state.alerts[0].summary}" if state.alerts else text


def chart(state: DemoState, width: int, rows: int, *, colour: bool) -> list[Text]:
    """The zones over event time: stacked columns, the past at the left."""
    samples = per_column(state, width - 6)
    most = max((sum(sample[z] for z in DRAWN) for sample in samples if sample), default=0)
    top = max(most, 1)
    lines = []
    for row in range(rows - 1, -1, -1):
        label = f"{top:>4} " if row == rows - 1 else f"{0:>4} " if row == 0 else " " * 5
        line = Text().append(f"{label}▏", "dim")
        for sample in samples:
            line.append(*(_cell(sample, row, rows, top, colour=colour) if sample else (" ", "")))
        lines.append(line)
    return lines


def per_column(state: DemoState, columns: int) -> list[Mapping[str, int] | None]:
    """The last sample in each column's part of the event time; None where nothing is known yet.

    A column is never less than a month wide, so that short histories are not stretched.
    """
    span_ms = max(state.last_ms - state.first_ms, 1)
    column_ms = max(span_ms / columns, _MONTH_MS)
    found: list[Mapping[str, int] | None] = [None] * columns
    for at_ms, zones in state.zones:
        index = int((at_ms - state.first_ms) / column_ms)
        found[min(max(index, 0), columns - 1)] = Counter(zones)
    known: Mapping[str, int] | None = None
    last = max((i for i, sample in enumerate(found) if sample is not None), default=-1)
    for index in range(last + 1):  # a column that no sample fell into
        known = found[index] = found[index] if found[index] is not None else known
    return found


def _cell(
    sample: Mapping[str, int], row: int, rows: int, top: int, *, colour: bool
) -> tuple[str, str]:
    """One character of the chart and its style: whose part of the column it lies in.

    Where one zone ends and the next begins inside the character, both colours are in it.
    """
    low, high = row / rows, (row + 1) / rows
    if not colour:
        zone = _zone_at(sample, (low + high) / 2 * top)
        return (_WITHOUT_COLOUR[zone] if zone else " "), ""
    ends = list(accumulate(sample[zone] / top for zone in DRAWN))
    for index, zone in enumerate(DRAWN):
        eighths = round((min(ends[index], high) - low) * rows * 8)
        if eighths <= 0:
            continue
        above = next((other for other in DRAWN[index + 1 :] if sample[other]), None)
        if eighths == 8:
            return "█", _COLOURS[zone]
        return _EIGHTHS[eighths], _COLOURS[zone] + (f" on {_COLOURS[above]}" if above else "")
    return " ", ""


def _zone_at(sample: Mapping[str, int], height: float) -> str | None:
    """The zone that a stack of accounts has at a height in accounts."""
    for zone, end in zip(DRAWN, accumulate(sample[zone] for zone in DRAWN), strict=True):
        if height < end:
            return zone
    return None


def _title(state: DemoState, width: int) -> Text:
    full = round(_BAR * state.share)
    when = "" if state.at_ms is None else date_of(state.at_ms)
    title = Text().append("pulse demo", "bold").append(f"  {when or state.phase}  ", "bold cyan")
    title.append("━" * full, "cyan").append("━" * (_BAR - full), "dim")
    title.append(f" {state.share:4.0%}  {state.elapsed_s:.0f} s")
    if when and width >= 72:
        title.append(f"  {state.phase}", "dim")
    return title


def _heading(words: str, width: int) -> Text:
    return Text(f"── {words} ".ljust(width, "─"), "dim")


def _legend(state: DemoState, *, colour: bool) -> Text:
    zones: Mapping[str, int] = state.zones[-1][1] if state.zones else {}
    legend = Text(" " * 6)
    for zone in DRAWN:
        mark = "■" if colour else _WITHOUT_COLOUR[zone]
        legend.append(f"{mark} ", _COLOURS[zone]).append(f"{zones.get(zone, 0)} {zone}   ")
    legend.append(f"{zones.get('unknown', 0)} unknown", "dim")
    return legend.append(f"   {zones.get('churned', 0):,} left", "dim")


def _alerts(state: DemoState, rows: int) -> list[Text]:
    lines = []
    for alert in list(state.alerts)[:rows]:
        resolved = alert.status == "resolved"
        style = "green" if resolved else _REASON_STYLES.get(alert.reason, "bold")
        word = f"{'-' if resolved else '+'} {alert.reason:<11} "
        line = Text().append(f"{alert.at[:10]} ", "dim").append(word, style)
        lines.append(line.append(alert.summary))
    return lines + [Text("") for _ in range(rows - len(lines))]


def _foot(state: DemoState) -> list[Text]:
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in state.fired.most_common())
    numbers = Text(f"{count(state.events, 'event')}, {state.events_per_s:,.0f} a second")
    numbers.append(f" · {count(state.fired.total(), 'alert')}{': ' if reasons else ''}{reasons}")
    hooks = Text(f"{count(state.verified, 'webhook')} delivered, signatures ")
    if state.unverified:
        hooks.append(f"WRONG in {state.unverified:,}", "bold red")
    else:
        hooks.append("verified", "green")
    if state.failed_on_purpose:
        hooks.append(f" · {state.failed_on_purpose:,} failed on purpose, sent again")
    # Where it does not fit it is cut off; the summary says it too.
    if state.unsent:
        hooks.append(f" · {state.unsent:,} superseded")
    places = " · ".join(f"{name} {address}" for name, address in state.addresses.items())
    page = Text("page ", "dim").append(state.page, f"bold underline link {state.page}")
    return [numbers, hooks, *([page] if state.page else []), Text(places, "dim")]


def summary(state: DemoState, next_steps: Sequence[str]) -> str:
    """What to say at the end."""
    zones: Mapping[str, int] = state.zones[-1][1] if state.zones else {}
    where = ", ".join(f"{zones.get(zone, 0)} {zone}" for zone in (*DRAWN, "unknown"))
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in state.fired.most_common()) or "none"
    years = (state.last_ms - state.first_ms) / (365.25 * _DAY_MS)
    signatures = "every signature verified"
    if state.unverified:
        signatures = f"{state.unverified:,} with a wrong signature"
    hooks = f"Webhooks: {state.verified:,} delivered, {signatures}"
    if state.failed_on_purpose:
        hooks += f"; {state.failed_on_purpose:,} that the receiver failed on purpose came again"
    lines = [
        f"{count(state.events, 'event')} of {years:.0f} years in {state.elapsed_s:.0f} seconds, "
        f"{date_of(state.first_ms)} to {date_of(state.last_ms)}.",
        f"Accounts at the end: {where}; {zones.get('churned', 0):,} have left.",
        f"Alerts: {reasons}.",
        f"{hooks}.",
    ]
    if state.unsent:
        lines.append(f"{state.unsent:,} were not sent: the alert had ended before its turn came.")
    return "\n".join([*lines, "", "Try next:", *(f"  {step}" for step in next_steps)])
