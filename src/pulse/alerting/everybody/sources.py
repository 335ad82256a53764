"""Alerts that are about no single account: that the fleet falls, that a source stopped."""

from typing import TYPE_CHECKING, Any, Final

from pulse.alerting.alert import EVERYBODY, AlertRecord, alert_id
from pulse.model import format_ms

if TYPE_CHECKING:
    from pulse.model.alert import Status

SOURCE_STOPPED: Final = "source_stopped"

_NONE: Final = {"7d": 0, "28d": 0, "84d": 0}
NOBODY: Final[dict[str, Any]] = {
    "account_id": EVERYBODY,
    "zone": "unknown",
    "lifecycle": "current",
    "score": None,
    "line": {"enter": 0, "exit": 0, "approach": 0},
    "contributions": {},
    "measures": {
        "now": {
            "events": _NONE,
            "value": _NONE,
            "active_users": _NONE,
            "features": _NONE,
            "active_days": _NONE,
            "recency_days": None,
        },
        "then": None,
        "then_at": None,
    },
    "profile": {},
    "historical": False,
}
"""What an alert must say of an account, where it is about none."""


def source_alert(
    source: str,
    stopped_ms: int,
    running_ms: int | None,
    *,
    at_ms: int,
    play: str,
    config_version: str,
    historical: bool,
) -> AlertRecord:
    """The alert that a source stopped: firing, or resolved where it runs again.

    `at_ms` is the log's clock when that was said.
    """
    stopped, at = format_ms(stopped_ms), format_ms(at_ms)
    is_over = running_ms is not None
    evidence = {"source": source, "stopped_at": stopped}
    if running_ms is not None:
        evidence["running_at"] = format_ms(running_ms)
        summary = f"The source {source} runs again: its accounts are watched as before."
    else:
        summary = (
            f"The source {source} has stopped: no event since {stopped}. Its accounts are in no "
            "zone and raise nothing until it runs again."
        )
    status: Status = "resolved" if is_over else "firing"
    fields: dict[str, Any] = {
        "id": alert_id(f"{EVERYBODY}\0{source}", SOURCE_STOPPED, stopped_ms),
        "account_id": EVERYBODY,
        "reason": SOURCE_STOPPED,
        "status": status,
        "resolution": "recovered" if is_over else None,
        "started_at": stopped,
        "at": at,
        "since": stopped,
        "severity": "critical",
        "zone": "unknown",
        "previous_zone": None,
        **{name: NOBODY[name] for name in ("lifecycle", "score", "line", "contributions")},
        "measures": NOBODY["measures"],
        "profile": {},
        "summary": summary,
        "evidence": evidence,
        "play": play,
        "historical": historical,
        "config_version": config_version,
    }
    return AlertRecord(EVERYBODY, SOURCE_STOPPED, status, at_ms, fields)
