"""The alert that a receiver was given up: it failed for days, and gets nothing any more."""

from __future__ import annotations

from typing import Final

from pulse.alerting.alert import EVERYBODY, alert_id
from pulse.alerting.everybody.sources import NOBODY
from pulse.model import Alert, format_ms

REASON: Final = "receiver_disabled"
AFTER_MS: Final = 5 * 86_400_000


def unreachable_alert(
    receiver: str, since_ms: int, now_ms: int, why: str, config_version: str
) -> Alert:
    """The alert, which has no end. `why` is the reason of the last attempt's failure."""
    days = (now_ms - since_ms) // 86_400_000
    return Alert.model_validate(
        {
            **NOBODY,
            "id": alert_id(f"{EVERYBODY}\0{receiver}", REASON, since_ms),
            "reason": REASON,
            "status": "firing",
            "resolution": None,
            "started_at": now_ms,
            "at": now_ms,
            "since": since_ms,
            "severity": "critical",
            "summary": f"The receiver {receiver} gets nothing any more: no attempt has succeeded "
            f"for {days} days, since {format_ms(since_ms)}. The last one: {why}.",
            "evidence": {"receiver": receiver, "failing_since": format_ms(since_ms), "last": why},
            "play": "Mend what it stands for, permit it again with "
            f"`pulse notify --enable {receiver}`, and start the notifiers again.",
            "config_version": config_version,
        }
    )
