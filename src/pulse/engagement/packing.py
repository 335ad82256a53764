"""An account as bytes, and back.

They are in two parts, written as `codec` writes. The first holds what nearly every event changes;
`patching` rewrites it and leaves the other, which is several times as large, as it lies.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pulse.engagement.account import Account, Late, OpenAlert
from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import MINUTE_MS, NEVER, NO_INSTANT, Calendar
from pulse.engagement.facts import FactLog
from pulse.engagement.line import ZONES, Trigger
from pulse.engagement.load import LoadMark
from pulse.engagement.profile import Profile

FORCE: Final = 2
PARKED: Final = 4
QUIET: Final = 8
"""Bits of the flags that `patching` looks at."""


class Packed(NamedTuple):
    """An account as bytes, in two: most events change only the first, which is the smaller."""

    present: bytes
    """What an event of today changes, and what says whether it changes more."""
    past: bytes
    """The account's id, the names it knows, and the rest."""

    def joined(self) -> bytes:
        """Both as one, for a page."""
        return join(self.present, self.past)


class Header(NamedTuple):
    """What is known of a packed account without unpacking it."""

    account_id: str
    soon_ms: int
    """When a minute closes or a deadline is due, `NEVER` if neither."""
    day_ms: int
    """When its next day starts, `NEVER` if that changes nothing."""


def join(present: bytes, past: bytes) -> bytes:
    """The two parts of a packed account as one."""
    out = Writer()
    out.data(present)
    out.raw(past)
    return out.done()


def split(joined: bytes) -> Packed:
    """The inverse of `join`."""
    reader = Reader(joined, 0)
    present = reader.data()
    return Packed(present, joined[reader.place() :])


def pack(account: Account) -> Packed:
    """The account's whole state; `unpack` is the exact inverse."""
    calendar, open_ms = account.calendar, account.open_ms
    today = calendar.day
    soon_ms = account.deadline_ms
    if open_ms != NO_INSTANT and (account.force or not account.quiet):
        soon_ms = min(soon_ms, open_ms + MINUTE_MS)

    now, out = Writer(), Writer()
    now.number(soon_ms)
    now.number(NEVER if account.parked else calendar.end_ms)
    calendar.write(now)
    out.text(account.account_id)
    account.users.write(now, out, today)
    account.features.write(now, out, today)
    account.events.write(now, out, today)
    account.value.write(now, out, today)
    now.number(account.last_ms)
    now.number(account.last_day)
    now.number(account.forget_ms)
    now.number(account.front_ms)
    now.number(open_ms)
    now.number(account.first_ms)
    now.number(account.deadline_ms)
    now.number(
        account.known
        | account.force * FORCE
        | account.parked * PARKED
        | account.quiet * QUIET
        | (account.score is not None) << 4
        | (account.profile is not None) << 5
        | account.danger.on << 6
        | account.approach.on << 7
        | (account.facts is not None) << 8
        | account.projected << 9
        | (account.line_day != 0) << 10
        | (account.moved_ms != NO_INSTANT) << 11
        | account.sources.frozen << 12
        | (account.load is not None) << 13
    )
    account.sources.write(now, out)
    account.seen.write(now)
    out.number(account.active_total)
    out.number(account.resurrected_ms)
    out.number(ZONES.index(account.zone))
    out.number(account.stage)
    account.active.today = 0  # made anew whenever it is asked for
    account.active.write(out, out, today)
    account.notes.write(out, today)
    if account.score is not None:
        out.fraction(account.score)
    if account.profile is not None:
        account.profile.write(out)
    if account.facts is not None:
        account.facts.write(out)
    if account.line_day:
        out.number(account.line_day)
        out.number(account.line_enter)
    if account.moved_ms != NO_INSTANT:
        out.number(account.moved_ms)
        before, after = account.moved
        out.number(ZONES.index(before))
        out.number(ZONES.index(after))
    if account.load is not None:
        account.load.write(out)
    _write_trigger(out, account.danger)
    _write_trigger(out, account.approach)
    lates = account.late or []
    out.number(len(lates))
    for late in lates:
        for number in late:
            out.number(number)
    out.number(len(account.alerts))
    for reason, alert in account.alerts.items():
        out.text(reason)
        out.number(alert.started_ms)
        out.number(alert.since_ms)
        out.text(alert.about)
    return Packed(now.done(), out.done())


def header(present: bytes, past: bytes) -> Header:
    """What `pack` wrote first."""
    reader = Reader(present, 0)
    soon_ms, day_ms = reader.number(), reader.number()
    return Header(Reader(past, 0).text(), soon_ms, day_ms)


def unpack(present: bytes, past: bytes) -> Account:
    """The account that `pack` wrote."""
    now, reader = Reader(present, 0), Reader(past, 0)
    now.skip_numbers(2)
    account_id = reader.text()
    account = Account(account_id, Calendar.read(now))
    today = account.calendar.day
    account.users.read(now, reader, today)
    account.features.read(now, reader, today)
    account.events.read(now, reader)
    account.value.read(now, reader)
    account.last_ms = now.number()
    account.last_day = now.number()
    account.forget_ms = now.number()
    account.front_ms = now.number()
    account.open_ms = now.number()
    account.first_ms = now.number()
    account.deadline_ms = now.number()
    flags = now.number()
    account.known = flags & 1 != 0
    account.force = flags & FORCE != 0
    account.parked = flags & PARKED != 0
    account.quiet = flags & QUIET != 0
    account.sources.read(now, reader)
    account.sources.frozen = flags & 4096 != 0
    account.seen.read(now)
    account.active_total = reader.number()
    account.resurrected_ms = reader.number()
    account.zone = ZONES[reader.number()]
    account.stage = reader.number()
    account.active.read(reader, reader)
    account.notes.read(reader)
    account.projected = flags & 512 != 0
    if flags & 16:
        account.score = reader.fraction()
    if flags & 32:
        account.profile = Profile()
        account.profile.read(reader)
    if flags & 256:
        account.facts = FactLog()
        account.facts.read(reader)
    if flags & 1024:
        account.line_day, account.line_enter = reader.number(), reader.number()
    if flags & 2048:
        account.moved_ms = reader.number()
        account.moved = ZONES[reader.number()], ZONES[reader.number()]
    account.danger.on = flags & 64 != 0
    account.approach.on = flags & 128 != 0
    if flags & 8192:
        account.load = LoadMark.read(reader)
    _read_trigger(reader, account.danger)
    _read_trigger(reader, account.approach)
    account.late = [
        Late(reader.number(), reader.number(), reader.number(), reader.number(), reader.number())
        for _ in range(reader.number())
    ] or None
    for _ in range(reader.number()):
        reason = reader.text()
        account.alerts[reason] = OpenAlert(reader.number(), reader.number(), reader.text())
    return account


def _write_trigger(out: Writer, trigger: Trigger) -> None:
    out.number(trigger.since_ms)
    out.number(trigger.turning_ms)


def _read_trigger(reader: Reader, trigger: Trigger) -> None:
    trigger.since_ms = reader.number()
    trigger.turning_ms = reader.number()
