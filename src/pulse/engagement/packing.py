"""An account as bytes, and back.

The bytes begin with what is needed without unpacking: when the account is due, and its id. What
follows is its whole state, part after part, as `codec` writes it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pulse.engagement.account import Account, Late, OpenAlert
from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import MINUTE_MS, NEVER, NO_INSTANT, Calendar
from pulse.engagement.line import ZONES, Trigger
from pulse.engagement.profile import Profile

FORCE: Final = 2
PARKED: Final = 4
QUIET: Final = 8
"""Bits of the flags that `patching` looks at."""


class Header(NamedTuple):
    """What is known of a packed account without unpacking it."""

    account_id: str
    soon_ms: int
    """When a minute closes or a deadline is due, `NEVER` if neither."""
    day_ms: int
    """When its next day starts, `NEVER` if that changes nothing."""


def pack(account: Account) -> bytes:
    """The account's whole state; `unpack` is the exact inverse."""
    calendar, open_ms = account.calendar, account.open_ms
    today = calendar.day
    soon_ms = account.deadline_ms
    if open_ms != NO_INSTANT and (account.force or not account.quiet):
        soon_ms = min(soon_ms, open_ms + MINUTE_MS)

    out = Writer()
    out.number(soon_ms)
    out.number(NEVER if account.parked else calendar.end_ms)
    out.text(account.account_id)
    calendar.write(out)
    account.active.today = 0  # made anew whenever it is asked for
    account.events.write(out, today)
    account.value.write(out, today)
    account.active.write(out, today)
    account.users.write(out, today)
    account.features.write(out, today)
    account.notes.write(out, today)
    account.seen.write(out)
    out.number(account.active_total)
    out.number(account.first_ms)
    out.number(account.last_ms)
    out.number(account.last_day)
    out.number(account.resurrected_ms)
    out.number(account.forget_ms)
    out.number(account.front_ms)
    out.number(open_ms)
    out.number(account.deadline_ms)
    out.number(ZONES.index(account.zone))
    out.number(
        account.known
        | account.force * FORCE
        | account.parked * PARKED
        | account.quiet * QUIET
        | (account.score is not None) << 4
        | (account.profile is not None) << 5
        | account.danger.on << 6
        | account.approach.on << 7
    )
    if account.score is not None:
        out.fraction(account.score)
    if account.profile is not None:
        account.profile.write(out)
    _write_trigger(out, account.danger)
    _write_trigger(out, account.approach)
    out.number(len(account.late))
    for late in account.late:
        for number in late:
            out.number(number)
    out.number(len(account.alerts))
    for reason, alert in account.alerts.items():
        out.text(reason)
        out.number(alert.started_ms)
        out.number(alert.since_ms)
    return out.done()


def header(packed: bytes) -> Header:
    """The first part of what `pack` wrote."""
    reader = Reader(packed, 0)
    soon_ms, day_ms = reader.number(), reader.number()
    return Header(reader.text(), soon_ms, day_ms)


def unpack(packed: bytes) -> Account:
    """The account that `pack` wrote."""
    reader = Reader(packed, 0)
    reader.number()
    reader.number()
    account_id = reader.text()
    account = Account(account_id, Calendar.read(reader))
    today = account.calendar.day
    account.events.read(reader)
    account.value.read(reader)
    account.active.read(reader)
    account.users.read(reader, today)
    account.features.read(reader, today)
    account.notes.read(reader)
    account.seen.read(reader)
    account.active_total = reader.number()
    account.first_ms = reader.number()
    account.last_ms = reader.number()
    account.last_day = reader.number()
    account.resurrected_ms = reader.number()
    account.forget_ms = reader.number()
    account.front_ms = reader.number()
    account.open_ms = reader.number()
    account.deadline_ms = reader.number()
    account.zone = ZONES[reader.number()]
    flags = reader.number()
    account.known = flags & 1 != 0
    account.force = flags & FORCE != 0
    account.parked = flags & PARKED != 0
    account.quiet = flags & QUIET != 0
    if flags & 16:
        account.score = reader.fraction()
    if flags & 32:
        account.profile = Profile()
        account.profile.read(reader)
    account.danger.on = flags & 64 != 0
    account.approach.on = flags & 128 != 0
    _read_trigger(reader, account.danger)
    _read_trigger(reader, account.approach)
    for _ in range(reader.number()):
        account.late.append(
            Late(
                reader.number(), reader.number(), reader.number(), reader.number(), reader.number()
            )
        )
    for _ in range(reader.number()):
        reason = reader.text()
        account.alerts[reason] = OpenAlert(reader.number(), reader.number())
    return account


def _write_trigger(out: Writer, trigger: Trigger) -> None:
    out.number(trigger.since_ms)
    out.number(trigger.turning_ms)


def _read_trigger(reader: Reader, trigger: Trigger) -> None:
    trigger.since_ms = reader.number()
    trigger.turning_ms = reader.number()
