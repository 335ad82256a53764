"""The fleet falls together: so many accounts begin to fall at once that it is one thing.

Tracking broke, a holiday began, the product was down: the reason is not with the accounts. What
counts is in the alerts: how many accounts opened one of the reasons that follow use within a
window of the alerts' own time, against how many there are. How many there are, who writes the
alerts says beside them (`ACCOUNTS_HEADER`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from pulse.alerting.alert import EVERYBODY, alert_id
from pulse.alerting.everybody.sources import NOBODY
from pulse.model import Alert, format_ms

REASON: Final = "fleet_falls"
FALLS: Final = frozenset({"danger", "approaching", "usage_drop", "silence"})
"""The reasons that follow use: what a fleet that falls together alerts of."""

ACCOUNTS_HEADER: Final = "pulse-accounts"
"""Header of a record of the alerts topic: how many accounts of its partition are in use."""

_KEPT_MS: Final = 48 * 3_600_000
"""Falls that much older than the newest are of no window any more, also where one partition is
read long before another."""
_PARTS: Final = 60
"""A window is counted in so many parts."""
_MANY: Final = 100_000
_FEWEST: Final = 2
"""One account is no fleet, whatever is configured."""


@dataclass(frozen=True, slots=True)
class FleetRule:
    """More than `min_accounts` and more than `share` of the accounts, within `window_ms`; their own
    alerts are held for `hold_ms`.
    """

    share: float = 0.1
    min_accounts: int = 20
    window_ms: int = 3_600_000
    hold_ms: int = 3_600_000


class Fact(NamedTuple):
    """What the guard needs of one alert's state."""

    alert_id: str
    account_id: str
    reason: str
    is_firing: bool
    at_ms: int
    segment: str | None


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One time that the fleet fell together.

    `started_ms` and `since_ms` are the `at` of the last and the first of the alerts that began it;
    `until_ms`, by the clock of who sends, ends the holding. `ended`, once it has, is the
    resolution; `counted_ms` then is an `at` up to which falls begin no other one.
    """

    started_ms: int
    since_ms: int
    until_ms: int
    accounts: int
    known: int
    by_reason: dict[str, int]
    by_segment: dict[str, int]
    ended: str | None = None
    ended_ms: int = 0
    still: int = 0
    counted_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.ended is None


class _Fall:
    """One account that falls: the alerts that are open, by id, and when the last one opened."""

    __slots__ = ("at_ms", "opened", "segment")

    def __init__(self, at_ms: int, segment: str | None) -> None:
        self.at_ms = at_ms
        self.segment = segment
        self.opened: dict[str, str] = {}


class Fleet:
    """Counts who falls, and says when that begins to be one thing, and when it has ended.

    Of each alert the states must come in their order; accounts may come in any. Nothing is begun or
    ended but by `look`.

    >>> fleet = Fleet(FleetRule(min_accounts=2, share=0.1))
    >>> fleet.count(0, 25)
    >>> for n in range(3):
    ...     fleet.take(Fact(f"al_{n}", f"a{n}", "danger", True, 60_000 * n, None))
    >>> episode = fleet.look(now_ms=200_000)
    >>> episode.accounts, episode.known, episode.since_ms, episode.started_ms
    (3, 25, 0, 120000)
    """

    def __init__(self, rule: FleetRule) -> None:
        self.rule = rule
        self.episode: Episode | None = None
        """The last one; None before the first."""
        self._known: dict[int, int] = {}
        self._falls: dict[str, _Fall] = {}
        self._parts: dict[int, set[str]] = {}
        """Who fell, by the part of time in which the last alert opened."""
        self._over: dict[str, int] = {}
        """Alerts that have ended, by id, and when."""
        self._part_ms = max(rule.window_ms // _PARTS, 1_000)
        self._newest_ms = 0

    # -- what comes in -------------------------------------------------------------------------

    def count(self, partition: int, accounts: int) -> None:
        """A partition has so many accounts in use now."""
        self._known[partition] = accounts

    def take(self, fact: Fact) -> None:
        """Take one state of an alert; a repeat changes nothing."""
        if fact.reason not in FALLS:
            return
        fall = self._falls.get(fact.account_id)
        if not fact.is_firing:
            self._over[fact.alert_id] = fact.at_ms
            if fall is not None and fact.alert_id in fall.opened:
                del fall.opened[fact.alert_id]
                if not fall.opened:
                    self._drop(fact.account_id, fall)
            self._newest_ms = max(self._newest_ms, fact.at_ms)
            return
        counted_ms = -1 if self.episode is None else self.episode.counted_ms
        if fact.at_ms <= counted_ms or fact.at_ms < self._newest_ms - _KEPT_MS:
            return
        if fall is None:
            fall = self._falls[fact.account_id] = _Fall(fact.at_ms, fact.segment)
        elif fact.alert_id in fall.opened:
            return
        else:
            self._unpart(fact.account_id, fall)
        fall.opened[fact.alert_id] = fact.reason
        fall.at_ms, fall.segment = max(fall.at_ms, fact.at_ms), fact.segment
        self._parts.setdefault(fall.at_ms // self._part_ms, set()).add(fact.account_id)
        self._newest_ms = max(self._newest_ms, fact.at_ms)

    def adopt(self, recorded: Episode | None) -> None:
        """Take over what somebody recorded, where it says more than what is known here.

        Of two that go on the earlier one is it: others may have noticed the same a little later.
        """
        mine = self.episode
        if recorded is None or (mine is not None and not _says_more(recorded, mine)):
            return
        self.episode = recorded
        if not recorded.is_open:
            self._forget(recorded.counted_ms)

    def is_over(self, alert_id: str) -> bool:
        """Whether an alert has ended, as far as was heard; who sends it may be behind."""
        return alert_id in self._over

    # -- what follows --------------------------------------------------------------------------

    def look(self, now_ms: int) -> Episode | None:
        """The episode that has just begun or ended, None where neither is so."""
        if self.episode is not None and self.episode.is_open:
            return self._end(self.episode, now_ms)
        return self._begin(now_ms)

    @property
    def known(self) -> int:
        """Accounts in use, of the partitions that have raised an alert so far."""
        return sum(self._known.values())

    @property
    def most(self) -> float:
        """More accounts than that are too many."""
        return max(self.rule.min_accounts, self.rule.share * self.known, _FEWEST - 1)

    def _begin(self, now_ms: int) -> Episode | None:
        if not self._known or len(self._falls) <= self.most:
            if len(self._over) > _MANY:
                self._prune()
            return None  # or of how many, nobody has said
        self._prune()
        first, last, size = self._fullest()
        if size <= self.most:
            return None
        fallen = [
            self._falls[name] for part in self._between(first, last) for name in self._parts[part]
        ]
        self.episode = Episode(
            started_ms=max(each.at_ms for each in fallen),
            since_ms=min(each.at_ms for each in fallen),
            until_ms=now_ms + self.rule.hold_ms,
            accounts=len(fallen),
            known=max(self.known, len(fallen)),
            by_reason=_tally(reason for each in fallen for reason in set(each.opened.values())),
            by_segment=_tally(each.segment or "no segment" for each in fallen),
        )
        return self.episode

    def _end(self, episode: Episode, now_ms: int) -> Episode | None:
        since = episode.since_ms // self._part_ms
        still = sum(len(names) for part, names in self._parts.items() if part >= since)
        if now_ms >= episode.until_ms:
            how, ended_ms = "passed", episode.started_ms + self.rule.hold_ms
        elif still <= min(self.most, episode.accounts) / 2:
            how, ended_ms = "recovered", max(episode.started_ms, self._newest_ms)
        else:
            return None
        counted_ms = max(self._newest_ms, episode.started_ms)
        self.episode = msgspec.structs.replace(
            episode, ended=how, ended_ms=ended_ms, still=still, counted_ms=counted_ms
        )
        self._forget(counted_ms)
        return self.episode

    # -- the parts of time ---------------------------------------------------------------------

    def _fullest(self) -> tuple[int, int, int]:
        """First and last part of the window with the most accounts, and how many they are."""
        width = max(self.rule.window_ms // self._part_ms, 1)
        ordered, best, size, start = sorted(self._parts), (0, 0, 0), 0, 0
        for part in ordered:
            size += len(self._parts[part])
            while ordered[start] <= part - width:
                size -= len(self._parts[ordered[start]])
                start += 1
            if size > best[2]:
                best = (ordered[start], part, size)
        return best

    def _between(self, first: int, last: int) -> list[int]:
        return [part for part in self._parts if first <= part <= last]

    def _prune(self) -> None:
        before = (self._newest_ms - _KEPT_MS) // self._part_ms
        before_ms = self._newest_ms - _KEPT_MS
        self._over = {each: at_ms for each, at_ms in self._over.items() if at_ms >= before_ms}
        for part in [part for part in self._parts if part < before]:
            for name in self._parts.pop(part):
                del self._falls[name]

    def _drop(self, account_id: str, fall: _Fall) -> None:
        self._unpart(account_id, fall)
        del self._falls[account_id]

    def _unpart(self, account_id: str, fall: _Fall) -> None:
        part = fall.at_ms // self._part_ms
        names = self._parts[part]
        names.discard(account_id)
        if not names:
            del self._parts[part]

    def _forget(self, until_ms: int) -> None:
        for account_id, fall in list(self._falls.items()):
            if fall.at_ms <= until_ms:
                self._drop(account_id, fall)


def _says_more(recorded: Episode, mine: Episode) -> bool:
    if recorded.is_open and mine.is_open:
        return recorded.started_ms < mine.started_ms
    if recorded.started_ms == mine.started_ms:
        return not recorded.is_open
    if mine.is_open:  # the recorded one is over
        return recorded.counted_ms >= mine.started_ms
    return recorded.started_ms > mine.started_ms


def _tally(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items(), key=lambda each: (-each[1], each[0])))


# -- how it is said ----------------------------------------------------------------------------


def fleet_alert(episode: Episode, play: str, config_version: str) -> Alert:
    """The one alert that stands for all: firing while the episode goes on, then resolved."""
    share = round(episode.accounts / episode.known, 3)
    evidence = {
        "accounts": episode.accounts,
        "known_accounts": episode.known,
        "share": share,
        "by_reason": episode.by_reason,
        "by_segment": episode.by_segment,
        "held_until": format_ms(episode.until_ms),
    }
    if not episode.is_open:
        evidence["still_falling"] = episode.still
    return Alert.model_validate(
        {
            **NOBODY,
            "id": alert_id(EVERYBODY, REASON, episode.started_ms),
            "reason": REASON,
            "status": "firing" if episode.is_open else "resolved",
            "resolution": episode.ended,
            "started_at": episode.started_ms,
            "at": episode.started_ms if episode.is_open else episode.ended_ms,
            "since": episode.since_ms,
            "severity": "critical",
            "summary": _summary(episode, share),
            "evidence": evidence,
            "play": play,
            "config_version": config_version,
        }
    )


def _summary(episode: Episode, share: float) -> str:
    if episode.ended == "recovered":
        return (
            f"The fleet has recovered: {episode.still} of the {episode.accounts} accounts that "
            "fell together still do. What is left of their own alerts is sent now."
        )
    if episode.ended is not None:
        return (
            f"The fleet fell together and has not recovered: {episode.still} accounts still fall. "
            "Their own alerts are sent now."
        )
    reasons = ", ".join(
        f"{n} {reason.replace('_', ' ')}" for reason, n in episode.by_reason.items()
    )
    return (
        f"The fleet falls together: {episode.accounts} of {episode.known} accounts "
        f"({100 * share:.0f} %) since {format_ms(episode.since_ms)}: {reasons}. "
        f"Their own alerts are held until {format_ms(episode.until_ms)}."
    )
