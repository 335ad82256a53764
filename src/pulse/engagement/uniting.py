"""Two accounts become one: what is known of both together.

Sums and distinct ids are those of all that either did, as if what the other one did had come late:
windows that end today have it at once, those that were fixed at the start of today from the next
day on. What was measured and found in the past stays the account's own; the other one's is known
only of days before its first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.engagement.account import Account
from pulse.engagement.days import NO_INSTANT, Calendar
from pulse.engagement.facts import STEP, FactLog
from pulse.engagement.packing import pack
from pulse.engagement.recent import RecentIds
from pulse.engagement.windows import TILE_DAYS

if TYPE_CHECKING:
    from pulse.engagement.account import Activity


def unite(account: Account, other: Account, rule: Activity) -> None:
    """Let an account know what another one knew, which is not to be used any more.

    Days are dates: those of the other one stay what they are, also where its time zone was another.
    One that has not begun for the account counts as its today. How often users came is the sum, up
    to the rounding of its halves.
    """
    today = account.calendar.day
    _unite_days(account, other, today, rule)
    account.users.unite(other.users, today)
    account.features.unite(other.features, today)
    account.notes.fill(other.notes, today, other.calendar.day)
    account.seen.unite(other.seen, 0, 0)
    if other.first_ms != NO_INSTANT:
        if account.first_ms == NO_INSTANT:
            account.resurrected_ms = other.resurrected_ms
        if account.first_ms == NO_INSTANT or other.first_ms < account.first_ms:
            account.first_ms, account.first_day = other.first_ms, 0
        if other.last_ms > account.last_ms:
            account.last_ms, account.last_day = other.last_ms, min(other.last_day, today)
    if other.profile is not None:
        if account.profile is None:
            account.profile, other.profile = other.profile, None
        else:
            account.profile.unite(other.profile)
    if other.facts is not None:
        _unite_facts(account, other.facts)
    for key in other.sources.lately:
        account.sources.see(key)
    before = account.sources.before
    account.sources.before = before + [key for key in other.sources.before if key not in before]


def _unite_days(account: Account, other: Account, today: int, rule: Activity) -> None:
    other_today = other.calendar.day
    events, value = other.events.tiles(other_today), other.value.tiles(other_today)
    events[other_today], value[other_today] = other.events.today, other.value.today
    # Active days of which no day is known any more: of both those of the one that has more.
    kept = sum(account.active.tiles(today).values())
    known = [day for day in other.active.tiles(other_today) if day > today - TILE_DAYS]
    older = max(account.active_total - kept, other.active_total - len(known))
    account.active_total = kept + older
    for day in sorted(events.keys() | value.keys()):
        if day > today - TILE_DAYS:
            account.add_to_day(min(day, today), events.get(day, 0), value.get(day, 0), rule)


def _unite_facts(account: Account, other: FactLog) -> None:
    facts = account.facts
    if facts is None:
        facts = account.facts = FactLog()
    facts.unite(other)
    for matter, word in sorted(other.words().items()):
        if not matter.startswith(STEP) or facts.word(matter) is None:  # reached once is reached
            facts.take(matter, word.ts_ms, word.record_id, word.value)


def pieces(account: Account, size: int) -> list[Account]:
    """An account as one or more, of about `size` bytes at most, that make it again if they are
    united in this order. The account is not to be used any more.
    """
    found = [account]
    if len(pack(account).joined()) <= size:
        return found
    timezone, today = account.calendar.timezone, account.calendar.day
    seen, account.seen = account.seen, RecentIds()
    for part in seen.parts(size // 16):
        piece = Account(account.account_id, Calendar(timezone, today))
        piece.seen = part
        found.append(piece)
    if len(pack(account).joined()) > size:
        # A name has up to 1,024 bytes.
        for users in account.users.split(size // 2_048):
            piece = Account(account.account_id, Calendar(timezone, today))
            piece.users = users
            found.append(piece)
    return found
