"""The history of all accounts, day by day: never more than two days of it in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.simulation import facts
from pulse.simulation.accounts import NEVER_S, Fact, make_account
from pulse.simulation.days import EARLIEST_S, seasons, use
from pulse.simulation.instants import text_of
from pulse.simulation.places import midnight_s
from pulse.simulation.product import date_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.simulation.accounts import Account
    from pulse.simulation.setting import Setting

_AHEAD_S: Final = 15 * 3_600
"""No account's day begins earlier before that of UTC."""
_OFFICE_S: Final = range(8 * 3_600, 17 * 3_600)
"""When billing, support and surveys speak."""


class History:
    """The accounts of a setting and all that is said of them, in order of time.

    >>> from pulse.simulation.setting import Setting
    >>> history = History(Setting(accounts=3, days=30))
    >>> len([day for day in history.days()]), len(list(history.outcomes()))
    (30, 4)
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        made = (make_account(setting, number) for number in range(1, setting.accounts + 1))
        self.accounts = [account for account in made if _is_there(account, setting)]
        """Those that the history has: who left before it began is not there."""

    def days(self) -> Iterator[list[bytes]]:
        """The lines of each day, in order of time over all of them. Iterate once."""
        first, end = self.setting.first, self.setting.end
        coming = sorted(self.accounts, key=lambda each: (-each.started, each.account_id))
        there: list[Account] = []
        lines: list[tuple[int, bytes]] = []
        for day in range(first, end):
            while coming and coming[-1].started <= day:
                there.append(account := coming.pop())
                facts.begin(account, day)
                if self.setting.profiles:
                    lines.append(_profile(account, day, _bought(account, day)))
            today = seasons(day)
            for account in there:
                lines += use(account, day, today)
                lines += _besides(account, day)
                if self.setting.profiles and (changes := _changes(account, day)):
                    lines.append(_profile(account, day, changes))
            there = [each for each in there if not each.story.leaves or each.story.over > day]
            lines.sort()
            # Later days of accounts far in the east begin then.
            until_s = (day + 1) * 86_400 - _AHEAD_S if day + 1 < end else NEVER_S
            ready = [raw for at, raw in lines if at < until_s]
            lines = lines[len(ready) :]
            yield ready

    def outcomes(self) -> Iterator[str]:
        """Who left, as `pulse calibrate` reads it; the first line has the names of the columns."""
        yield "account_id,started_at,churned_at"
        for account in self.accounts:
            churned = text_of(account.left_at).decode() if self._has_left(account) else ""
            yield f"{account.account_id},{date_of(account.started)},{churned}"

    def causes(self) -> Iterator[str]:
        """What happened to each account, and since when; the first line names the columns.

        `outcome` is `left`, `leaving` where it has begun and the history ends before, or `stayed`.
        The cause of who stayed is what only looked like leaving, if anything did.
        """
        yield "account_id,outcome,cause,began_at"
        for account in self.accounts:
            story, outcome = account.story, self.outcome(account)
            has_one = bool(story.cause) and story.began < self.setting.end
            told = f"{story.cause},{date_of(story.began)}" if has_one else ","
            yield f"{account.account_id},{outcome},{told}"

    def outcome(self, account: Account) -> str:
        """What became of an account: left, leaving or stayed."""
        if self._has_left(account):
            return "left"
        return "leaving" if account.story.leaves else "stayed"

    def _has_left(self, account: Account) -> bool:
        return account.story.leaves and account.story.over < self.setting.end


def _is_there(account: Account, setting: Setting) -> bool:
    return not account.story.leaves or account.story.over > setting.first


def _besides(account: Account, day: int) -> Iterator[tuple[int, bytes]]:
    """What is said on a day besides use, and that the account leaves."""
    begins_s = midnight_s(account.place.timezone, day)
    told = list(facts.said(account, day))
    seconds = sorted(account.rng.choice(_OFFICE_S) for _ in told)
    for second, fact in zip(seconds, told, strict=True):
        if begins_s + second < account.left_at:
            yield begins_s + second, _fact(account, begins_s + second, fact)
    if account.story.leaves and account.story.over == day:
        cancelled = Fact("billing", "subscription_cancelled", {})
        yield account.left_at, _fact(account, account.left_at, cancelled)


def _fact(account: Account, at_s: int, fact: Fact) -> bytes:
    line: dict[str, Any] = _head(account)
    if fact.user_id is not None:
        line["user_id"] = fact.user_id
    line |= {"source": fact.source, "event": fact.event, "ts": text_of(at_s).decode()}
    return msgspec.json.encode(line | {"properties": fact.properties})


def _head(account: Account) -> dict[str, Any]:
    account.made += 1
    return {"id": f"{account.account_id}-{account.made}", "account_id": account.account_id}


def _profile(account: Account, day: int, known: dict[str, Any]) -> tuple[int, bytes]:
    """What is known of an account from the morning of a day on."""
    at_s = midnight_s(account.place.timezone, day) + EARLIEST_S - 60
    line = _head(account) | {"type": "profile", "ts": text_of(at_s).decode(), "profile": known}
    return at_s, msgspec.json.encode(line)


def _bought(account: Account, day: int) -> dict[str, Any]:
    """All of an account's profile, as of a day."""
    plan, place = account.plan, account.place
    known: dict[str, Any] = {
        "name": account.name,
        "segment": plan.segment,
        "plan": plan.name,
        "mrr": plan.price * account.seats,
        "seats": account.seats,
        "owner": account.owner,
        "started_at": f"{date_of(account.started)}T00:00:00Z",
        "country": place.country,
        "timezone": place.timezone,
    }
    if plan.is_yearly:
        known["renewal_at"] = _renewal(account, day)
    return known


def _changes(account: Account, day: int) -> dict[str, Any]:
    """What a day changes of the profile: more seats, or the next year of the contract."""
    changed: dict[str, Any] = {}
    if day == account.grows_on:
        account.seats += max(1, account.seats * 3 // 10)
        changed = {"seats": account.seats, "mrr": account.plan.price * account.seats}
    years, rest = divmod(day - account.started, 365)
    if account.plan.is_yearly and years and not rest:
        changed["renewal_at"] = _renewal(account, day)
    return changed


def _renewal(account: Account, day: int) -> str:
    years = (day - account.started) // 365 + 1
    return f"{date_of(account.started + 365 * years)}T00:00:00Z"
