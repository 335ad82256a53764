"""Accounts with 92 days behind them, packed, to be cloned. A process of its own.

The engine makes some accounts event by event. The ids of an account and of its users hold a code of
six characters; a clone is the packed form with another code in its place.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import msgspec

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState, control
from pulse.testing.histories import LogEntry, usage

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
DAYS = 92
NOW_MS = 1_717_243_200_000
"""2024-06-01 at noon: where the history ends."""

SILENT_AFTER_MS = 60_000
"""When the silent ones fall due, after `NOW_MS`."""

USERS = 5
FEATURES = 20


class Templates(msgspec.Struct):
    """Packed accounts with their codes, as of a tick at `NOW_MS`."""

    first_tick_ms: int
    steady: list[tuple[str, bytes]]
    """Used to the end."""
    silent: list[tuple[str, bytes]]
    """Not used for nearly 21 days."""


def account_id(code: str) -> str:
    """The account with that code."""
    return f"acc-{code}"


def event(number: int, code: str, at_ms: int) -> bytes:
    """One event of an account."""
    properties = {"feature": f"feature-{number * 7 % FEATURES:02}", "value": number % 60}
    user = f"user-{code}-{number * 3 % USERS}"
    return usage(f"ev-{number:012}", account_id(code), at_ms, user_id=user, properties=properties)


def tick(offset: int, at_ms: int) -> LogEntry:
    """A tick of the log."""
    headers, value = control.tick(at_ms)
    return LogEntry(offset, value, headers)


def clone(template: tuple[str, bytes], number: int) -> bytes:
    """The account with another code. Raises `ValueError` where the code is not to be found."""
    code, packed = template
    copy = packed.replace(code.encode(), b"%06d" % number)
    if copy == packed:
        raise ValueError("the packed account does not hold its code")
    return copy


def make(accounts: int, silent: int, a_day: int) -> Templates:
    """Let the engine live through 92 days of some accounts."""
    rng = random.Random(0)
    engine, state = Engine(policy(Config())), PartitionState()
    codes = [f"Q{number:04}Z" for number in range(accounts)]
    silent_codes = [f"Q{number:04}Y" for number in range(silent)]
    start_ms = NOW_MS - DAYS * DAY_MS
    step_ms = DAY_MS // a_day
    ends_ms = NOW_MS - 21 * DAY_MS + SILENT_AFTER_MS
    times = [
        (start_ms + day * step_ms + rng.randrange(step_ms), code)
        for code in codes
        for day in range(DAYS * a_day)
    ]
    times += [
        (at_ms, code) for code in silent_codes for at_ms in range(ends_ms, start_ms, -step_ms)
    ]
    clock_ms, offset, batch = start_ms, 0, list[LogEntry]()
    for number, (at_ms, code) in enumerate(sorted(times)):
        while clock_ms <= at_ms:
            batch.append(tick(offset, clock_ms))
            clock_ms, offset = clock_ms + HOUR_MS, offset + 1
        batch.append(LogEntry(offset, event(number, code, at_ms)))
        offset += 1
        if len(batch) > 5_000:
            engine.apply(state, batch)
            batch = []
    batch.append(tick(offset, NOW_MS))
    engine.apply(state, batch)
    return Templates(
        start_ms,
        [(code, state.packed(account_id(code))) for code in codes],
        [(code, state.packed(account_id(code))) for code in silent_codes],
    )


def main() -> None:
    """Write templates to a file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--silent", type=int, default=0)
    parser.add_argument("--a-day", type=int, required=True)
    parser.add_argument("--report", type=Path, required=True)
    asked = parser.parse_args()
    made = make(asked.accounts, asked.silent, asked.a_day)
    asked.report.write_bytes(msgspec.msgpack.encode(made))


if __name__ == "__main__":
    main()
