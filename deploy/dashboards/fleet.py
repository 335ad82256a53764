"""*Fleet*: how the customers are, for who looks after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .parts import (
    Query,
    Text,
    board,
    chosen,
    growth,
    heat,
    lines,
    listing,
    number,
    of,
    processes,
    ranking,
    rate,
    state,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from .parts import AnyPanel

_SEGMENT: Final = 'segment=~"$segment"'
_PLACED: Final = 'zone=~"healthy|approaching|danger"'
_HEALTHY: Final = 'zone="healthy"'
_APPROACHING: Final = 'zone="approaching"'
_DANGER: Final = 'zone="danger"'
_BEGUN: Final = 'status="firing"'


def accounts(*matchers: str, by: str = "") -> str:
    """How many accounts there are, of the chosen segments."""
    return _summed("pulse_accounts", by, matchers)


def mrr(*matchers: str, by: str = "") -> str:
    """What they pay a month."""
    return _summed("pulse_mrr", by, matchers)


def _summed(metric: str, by: str, matchers: tuple[str, ...]) -> str:
    return f"sum{f' by ({by})' if by else ''} ({of(metric, _SEGMENT, *matchers)})"


def fleet() -> Dashboard:
    """The dashboard."""
    return board(
        "pulse-fleet",
        Text("pulse / Fleet", "How the customers are: who is in danger, since when, and why."),
        "now-7d",
        [
            *processes("pulse_(accounts|fleet_falls|web_alerts)", hidden=True),
            chosen("segment", "Segment", f"label_values({of('pulse_accounts')}, segment)"),
        ],
        [("Now", _now()), ("Zones", _zones()), ("Lives", _lives()), ("Alerts", _alerts())],
    )


def _now() -> list[AnyPanel]:
    share = f"{accounts(_DANGER)} / {accounts(_PLACED)}"
    return [
        number(
            Text("In danger", "Accounts whose score is below the danger line."),
            f"{accounts(_DANGER)} or vector(0)",
            steps=[(1, "red")],
            trend=True,
        ),
        number(
            Text("Approaching", "Accounts just above the line, or on their way to it."),
            f"{accounts(_APPROACHING)} or vector(0)",
            steps=[(1, "orange")],
            trend=True,
        ),
        number(
            Text(
                "Share in danger",
                "Of the accounts in a zone. Those too young, or not observed, are in none.",
                "percentunit",
            ),
            share,
            trend=True,
        ),
        number(
            Text(
                "MRR in danger",
                "What the accounts below the line pay a month, in the currency of the profiles.",
            ),
            f"{mrr(_DANGER)} or vector(0)",
            steps=[(1, "red")],
            trend=True,
        ),
        number(
            Text("Alerts begun", "In the time that is shown, for all segments and reasons."),
            f"sum({growth('pulse_crossings_total', _BEGUN)})",
        ),
        state(
            Text(
                "Together",
                "Whether the fleet falls together: then it is a holiday or the measuring, and one "
                "alert says so instead of one for each account.",
            ),
            f"max({of('pulse_fleet_falls')})",
            {0: ("each alone", "green"), 1: ("the fleet falls", "red")},
        ),
    ]


def _zones() -> list[AnyPanel]:
    return [
        lines(
            Text("Accounts by zone", "Where accounts stand against the danger line."),
            Query(accounts(by="zone"), "{{zone}}"),
            stacked=True,
        ),
        lines(
            Text("MRR by zone", "What they pay a month, in the currency of the profiles."),
            Query(mrr(by="zone"), "{{zone}}"),
            stacked=True,
        ),
        lines(
            Text(
                "Share in danger by segment",
                "Of the segment's accounts that are in a zone.",
                "percentunit",
            ),
            Query(
                f"{accounts(_DANGER, by='segment')} / {accounts(_PLACED, by='segment')}",
                "{{segment}}",
            ),
        ),
        listing(
            Text("By segment", "Accounts by zone, and what those in danger pay a month."),
            {
                "Healthy": accounts(_HEALTHY, by="segment"),
                "Approaching": accounts(_APPROACHING, by="segment"),
                "In danger": accounts(_DANGER, by="segment"),
                "MRR in danger": mrr(_DANGER, by="segment"),
            },
            {"segment": "Segment"},
        ),
        heat(
            Text(
                "Scores",
                "How many accounts have which score. Accounts of all segments that have not left.",
            ),
            "pulse_score",
        ),
        lines(
            Text("Score of the middle account", "Half of the accounts are between the outer two."),
            *(
                Query(f"histogram_quantile({q}, sum by (le) ({of('pulse_score_bucket')}))", name)
                for q, name in ((0.75, "upper quarter"), (0.5, "middle"), (0.25, "lower quarter"))
            ),
        ),
    ]


def _lives() -> list[AnyPanel]:
    moves = f"sum by (before, after) ({growth('pulse_lifecycle_moves_total', _SEGMENT)})"
    return [
        lines(
            Text("Accounts by lifecycle", "New, current, resurrected, dormant, or gone."),
            Query(
                f"sum by (lifecycle) ({of('pulse_accounts_by_lifecycle', _SEGMENT)})",
                "{{lifecycle}}",
            ),
            stacked=True,
        ),
        listing(
            Text("Moves", "From one stage of life to another, in the time that is shown."),
            {"Accounts": f"sort_desc({moves} > 0)"},
            {"before": "From", "after": "To"},
        ),
    ]


def _alerts() -> list[AnyPanel]:
    begun = growth("pulse_crossings_total", _BEGUN)
    return [
        ranking(
            Text("Alerts begun by reason", "In the time that is shown."),
            Query(f"sum by (reason) ({begun}) > 0", "{{reason}}"),
        ),
        lines(
            Text("Begun and ended", "Alerts an hour. More begun than ended: more to do."),
            Query(f"3600 * sum by (status) ({rate('pulse_crossings_total')})", "{{status}}"),
        ),
        ranking(
            Text(
                "Right alerts by reason",
                "Of the alerts that somebody looked into and closed, the share that was no false "
                "alarm.",
                "percentunit",
            ),
            Query(f"max by (reason) ({of('pulse_alert_precision_ratio')})", "{{reason}}"),
            most=1,
        ),
        listing(
            Text("What became of alerts", "Closed alerts by reason and outcome."),
            {"Alerts": f"sort_desc(max by (reason, outcome) ({of('pulse_alert_outcomes')}) > 0)"},
            {"reason": "Reason", "outcome": "Outcome"},
        ),
    ]
