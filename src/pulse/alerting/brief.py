"""What the stages of the pipeline need of one state of an alert, and how a decision is said."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from pulse.alerting.alert import ENDLESS, EVERYBODY
from pulse.alerting.everybody.digest import REASON as DIGEST
from pulse.alerting.everybody.fleet import FALLS
from pulse.alerting.everybody.fleet import REASON as FLEET_FALLS
from pulse.alerting.everybody.unreachable import REASON as RECEIVER_DISABLED
from pulse.model.alert import Alert, Severity, Status

WITHOUT_END: Final = ENDLESS | {RECEIVER_DISABLED}
"""Reasons whose alerts only begin."""
_RISK: Final = {"critical": 0.9, "warning": 0.6, "info": 0.3}
"""By severity, where there is no score."""


class Brief(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One state of one alert. Instants are milliseconds UTC.

    `owner` is that of the profile, or the one that was chosen; empty where there is none. `risk` is
    0 to 1: how far the score is from 100, or what the severity says. `quiet` says why nobody is
    told of it (`historical`, `load`, `configuration`, `holdout`); empty where somebody may be.
    `stands_for`: the reasons whose alerts are not sent because this one is.
    """

    id: str
    account_id: str
    reason: str
    status: Status
    severity: Severity
    at_ms: int
    segment: str = ""
    plan: str = ""
    owner: str = ""
    lifecycle: str = "current"
    mrr: float = 0.0
    risk: float = 0.0
    renewal_ms: int | None = None
    quiet: str = ""
    stands_for: tuple[str, ...] = ()

    @property
    def is_firing(self) -> bool:
        """Whether it goes on."""
        return self.status == "firing"

    @property
    def is_endless(self) -> bool:
        """Whether it only begins."""
        return self.reason in WITHOUT_END

    @property
    def is_of_nobody(self) -> bool:
        """Whether it is about no single account."""
        return self.account_id == EVERYBODY


class Decision(NamedTuple):
    """Why a stage did what it did with an alert, for one receiver (empty: for all).

    `until_ms`: when it is looked at again, where that is known.
    """

    alert_id: str
    receiver: str
    stage: str
    reason: str
    until_ms: int | None = None


def brief_of(alert: Alert) -> Brief:
    """The brief of an alert as it stands on the alerts topic."""
    profile = alert.profile
    risk = _RISK[alert.severity] if alert.score is None else 1 - alert.score / 100
    return Brief(
        id=alert.id,
        account_id=alert.account_id,
        reason=alert.reason,
        status=alert.status,
        severity=alert.severity,
        at_ms=alert.at,
        segment=profile.segment or "",
        plan=profile.plan or "",
        owner=profile.owner or "",
        lifecycle=alert.lifecycle,
        mrr=profile.mrr or 0.0,
        risk=min(max(risk, 0.0), 1.0),
        renewal_ms=profile.renewal_at,
        quiet="historical" if alert.historical else alert.caused_by or "",
        stands_for=_stands_for(alert),
    )


def _stands_for(alert: Alert) -> tuple[str, ...]:
    if alert.reason not in (FLEET_FALLS, DIGEST, RECEIVER_DISABLED):
        return ()
    counted = alert.evidence.get("by_reason") if alert.reason == DIGEST else None
    return tuple(sorted(FALLS.union(counted if isinstance(counted, dict) else ())))
