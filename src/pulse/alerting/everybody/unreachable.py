"""The alert that a receiver gets nothing any more: it failed for days, or said so itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.alerting.alert import EVERYBODY, alert_id
from pulse.alerting.everybody.sources import NOBODY
from pulse.model import Alert, format_ms

if TYPE_CHECKING:
    from pulse.alerting.records.delivery import Endpoint

REASON: Final = "receiver_disabled"
AFTER_MS: Final = 5 * 86_400_000


def unreachable_alert(endpoint: Endpoint, since_ms: int | None, config_version: str) -> Alert:
    """The alert, which has no end; the same id for the same endpoint and instant. `since_ms`: since
    when it fails, None where it wants nothing more, or that is not known.
    """
    receiver, now_ms, why = endpoint.receiver, endpoint.at_ms, endpoint.last or "unknown"
    evidence = {"receiver": receiver, "last": why}
    cause = f"it answered that it wants nothing any more: {why}."
    if endpoint.why == "failing":
        cause = f"no attempt has succeeded for days. The last one: {why}."
    if since_ms is not None:
        days = (now_ms - since_ms) // 86_400_000
        evidence["failing_since"] = format_ms(since_ms)
        cause = (
            f"no attempt has succeeded for {days} days, since {format_ms(since_ms)}. "
            f"The last one: {why}."
        )
    since_ms = now_ms if since_ms is None else since_ms
    return Alert.model_validate(
        {
            **NOBODY,
            "id": alert_id(f"{EVERYBODY}\0{receiver}", REASON, now_ms),
            "reason": REASON,
            "status": "firing",
            "resolution": None,
            "started_at": now_ms,
            "at": now_ms,
            "since": since_ms,
            "severity": "critical",
            "summary": f"The receiver {receiver} gets nothing any more: {cause}",
            "evidence": evidence,
            "play": "Mend what it stands for, permit it again with "
            f"`pulse notify --enable {receiver}`, and start the notifiers again.",
            "config_version": config_version,
        }
    )
