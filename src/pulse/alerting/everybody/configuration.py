"""The alert about the whole fleet: what a new configuration, or a new line, changed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.alerting.alert import EVERYBODY, AlertRecord, alert_id
from pulse.engagement.measures import WINDOW_NAMES
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.engagement.line import Line

REASON: Final = "configuration"

_NO_MEASURES: Final[dict[str, Any]] = {
    **{
        name: dict.fromkeys(WINDOW_NAMES, 0)
        for name in ("events", "value", "active_users", "features", "active_days")
    },
    "recency_days": None,
}


def moved_alert(
    moved: Mapping[str, int], version: str, at_ms: int, line: Line, config_version: str
) -> AlertRecord:
    """One alert for all accounts that rules brought into another zone, by the change of zone.

    `version` is that of the configuration or of the line. Such an alert has no end.
    """
    at, total = format_ms(at_ms), sum(moved.values())
    changes = ", ".join(f"{number:,} {change}" for change, number in moved.items())
    cause = "the line of the fleet moved" if version != config_version else "the rules changed"
    accounts = "an account is" if total == 1 else f"{total:,} accounts are"
    fields: dict[str, Any] = {
        "id": alert_id(EVERYBODY, REASON, at_ms),
        "account_id": EVERYBODY,
        "reason": REASON,
        "status": "firing",
        "resolution": None,
        "started_at": at,
        "at": at,
        "since": at,
        "severity": "info",
        "zone": "unknown",
        "previous_zone": None,
        "lifecycle": "current",
        "score": None,
        "line": {
            "enter": line.enter,
            "exit": line.exit,
            "approach": line.approach,
            "version": config_version,
        },
        "contributions": {},
        "measures": {"now": _NO_MEASURES, "then": None, "then_at": None},
        "profile": {},
        "summary": f"{accounts} in another zone because {cause} ({version}): {changes}.",
        "evidence": {"version": version, "accounts": total, "changes": dict(moved)},
        "play": "Nobody was alerted of these one by one. Look at them in the list of accounts.",
        "historical": False,
        "config_version": config_version,
    }
    return AlertRecord(EVERYBODY, REASON, "firing", at_ms, fields)
