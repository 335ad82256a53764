"""What the topics say: alerts, what became of them, what is silenced.

Each is bounded: what is old goes, and of too many the oldest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from pulse.alerting.people.outcomes import decode_outcome
from pulse.alerting.people.silences import Muted
from pulse.model.alert import Severity, Status
from pulse.model.time import parse_ts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.alerting.people.outcomes import Outcome

log = structlog.get_logger("pulse.desk")

MOST_OUTCOMES: Final = 200_000


class _Profile(msgspec.Struct):
    name: str | None = None
    segment: str | None = None
    owner: str | None = None


class _Alert(msgspec.Struct):
    id: str
    account_id: str
    reason: str
    status: Status
    severity: Severity
    started_at: str
    at: str
    summary: str
    play: str
    profile: _Profile
    historical: bool = False
    caused_by: str | None = None


class KnownAlert(msgspec.Struct, frozen=True):
    """The newest state of an alert: what it is found by, and all of it as JSON."""

    id: str
    account_id: str
    reason: str
    status: Status
    severity: Severity
    started_ms: int
    at_ms: int
    segment: str
    owner: str
    name: str
    summary: str
    play: str
    quiet: str
    """Why it is not sent, as far as the alert itself says it."""
    json: bytes


_decode_alert: Final = msgspec.json.Decoder(_Alert).decode


class AlertBook:
    """The newest state of each alert, at most `most`: those that ended go first, then the oldest.

    >>> AlertBook(most=10).get("al_1") is None
    True
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._firing: dict[str, KnownAlert] = {}
        self._ended: dict[str, KnownAlert] = {}
        self._firing_of: dict[str, dict[str, KnownAlert]] = {}
        """By account."""

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the alerts topic. What has ended does not begin again: it is a repeat."""
        if value is None:
            return
        try:
            said = _decode_alert(value)
            started_ms, at_ms = parse_ts(said.started_at), parse_ts(said.at)
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a record among the alerts is none", key=key[:80], error=str(error))
            return
        is_firing = said.status == "firing"
        if is_firing and said.id in self._ended:
            return
        self._fires_no_more(self._firing.pop(said.id, None))
        known = KnownAlert(
            id=said.id,
            account_id=said.account_id,
            reason=said.reason,
            status=said.status,
            severity=said.severity,
            started_ms=started_ms,
            at_ms=at_ms,
            segment=said.profile.segment or "",
            owner=said.profile.owner or "",
            name=said.profile.name or "",
            summary=said.summary,
            play=said.play,
            quiet="historical" if said.historical else said.caused_by or "",
            json=value,
        )
        if is_firing:
            self._firing[said.id] = known
            self._firing_of.setdefault(said.account_id, {})[said.id] = known
        else:
            self._ended[said.id] = known
        while len(self) > self._most:
            oldest = self._ended or self._firing
            self._fires_no_more(oldest.pop(next(iter(oldest))))

    def _fires_no_more(self, alert: KnownAlert | None) -> None:
        if alert is not None and (of := self._firing_of.get(alert.account_id)) is not None:
            of.pop(alert.id, None)
            if not of:
                del self._firing_of[alert.account_id]

    def firing_of(self, account_id: str) -> list[KnownAlert]:
        """The alerts of an account that fire, in the order in which their states came."""
        return list(self._firing_of.get(account_id, {}).values())

    def firing_ids_of(self, account_id: str) -> tuple[str, ...]:
        """The ids of the alerts of an account that fire: quicker, for who looks at all accounts."""
        return tuple(self._firing_of.get(account_id, ()))

    def firing_accounts(self) -> set[str]:
        """The accounts of which an alert fires."""
        return set(self._firing_of)

    def get(self, alert_id: str) -> KnownAlert | None:
        """An alert; None where it is not known, or not any more."""
        return self._firing.get(alert_id) or self._ended.get(alert_id)

    def has_ended(self, alert_id: str) -> bool:
        """Whether it is known that an alert has ended."""
        return alert_id in self._ended

    def __iter__(self) -> Iterator[KnownAlert]:
        """Those of now, whatever comes while somebody goes through them."""
        return iter([*self._firing.values(), *self._ended.values()])

    def __len__(self) -> int:
        return len(self._firing) + len(self._ended)


class OutcomeBook:
    """The newest word on each alert."""

    def __init__(self) -> None:
        self._of: dict[str, Outcome] = {}

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the outcomes topic."""
        if value is None:
            self._of.pop(key.decode(errors="replace"), None)
            return
        try:
            said = decode_outcome(value)
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a record among the outcomes is none", key=key[:80], error=str(error))
            return
        self._of.pop(said.alert_id, None)
        self._of[said.alert_id] = said
        if len(self._of) > MOST_OUTCOMES:
            del self._of[next(iter(self._of))]

    def get(self, alert_id: str) -> Outcome | None:
        """What was said of an alert; None where nothing was."""
        return self._of.get(alert_id)

    def __iter__(self) -> Iterator[Outcome]:
        """Those of now, whatever comes while somebody goes through them: metrics are, in a thread
        of their own.
        """
        return iter(list(self._of.values()))

    def __len__(self) -> int:
        return len(self._of)


class MutedBook(Muted):
    """All that people have muted."""

    def take(self, key: bytes, value: bytes | None) -> None:
        """A record of the silences topic."""
        try:
            self.read(key.decode(), value)
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a record among the silences is none", key=key[:80], error=str(error))
