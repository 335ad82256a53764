"""Alerts to send around in tests, complete and valid."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from pulse.model import Alert, Status

_WINDOWS = {"7d": 3, "28d": 14, "84d": 90}
_MEASURES = {
    "events": _WINDOWS,
    "value": _WINDOWS,
    "active_users": _WINDOWS,
    "features": _WINDOWS,
    "active_days": _WINDOWS,
    "recency_days": 2.5,
}


def sample_alert(
    account_id: str = "acme",
    status: Status = "firing",
    *,
    at_ms: int = 1_700_000_000_000,
    started_at_ms: int = 1_700_000_000_000,
    **changes: Any,
) -> Alert:
    """One state of the alert that `account_id` is in danger since `started_at_ms`.

    The id is a function of account, reason and start, as the engine's is; `changes` are fields.
    """
    reason = changes.pop("reason", "danger")
    digest = hashlib.blake2b(f"{account_id}/{reason}/{started_at_ms}".encode(), digest_size=17)
    name = base64.b32encode(digest.digest()).decode().lower()[:26]
    fields = {
        "id": f"al_{name}",
        "account_id": account_id,
        "reason": reason,
        "status": status,
        "resolution": None if status == "firing" else "recovered",
        "started_at": started_at_ms,
        "at": at_ms,
        "since": started_at_ms - 86_400_000,
        "severity": "critical",
        "zone": "danger" if status == "firing" else "healthy",
        "lifecycle": "current",
        "score": 31.25,
        "line": {"enter": 40, "exit": 50, "approach": 55},
        "contributions": {"active_users": 12.5, "events": 18.75},
        "measures": {"now": _MEASURES, "then": _MEASURES, "then_at": started_at_ms - 2_419_200_000},
        "profile": {"name": account_id.title(), "segment": "enterprise", "mrr": 1200},
        "summary": f"{account_id.title()} is in danger: its score fell to 31.",
        "evidence": {"fell_most": "active_users"},
        "play": "Call the account's owner today.",
        "historical": False,
        "config_version": "0123456789ab",
    }
    return Alert.model_validate(fields | changes)


def differing(
    found: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    """States of alerts, as plain data, that are not the same in both: as found, and as wanted.

    >>> of = {"id": "al_1", "status": "firing"}
    >>> differing([of], [of]), differing([], [of])
    ([], [(None, {'id': 'al_1', 'status': 'firing'})])
    """
    these, those = ({(each["id"], each["status"]): each for each in of} for of in (found, wanted))
    return [
        (these.get(key), those.get(key))
        for key in sorted(these.keys() | those.keys())
        if these.get(key) != those.get(key)
    ]
