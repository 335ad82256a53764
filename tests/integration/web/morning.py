"""Four months of seven accounts until now: three go on, and four have all but stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_MS = 86_400_000
DAYS = 120
FELL_DAYS = 32
"""So long ago four of them all but stopped."""

ACCOUNTS = {
    # MRR, days to the renewal, whether it fell
    "northwind": (9_000, 20, True),
    "globex": (400, 200, True),
    "acme": (800, 300, True),
    "soylent": (600, 90, True),
    "initech": (1_200, 250, False),
    "hooli": (2_500, 150, False),
    "umbrella": (300, 60, False),
}


def write(file: Path, now_ms: int) -> None:
    """The lines, in the order of their time. What is said hangs on no weekday."""
    lines = sorted(_lines(now_ms), key=lambda each: each["ts"])
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def payment_failed(account_id: str, at_ms: int) -> bytes:
    """The event that is a reason by itself."""
    line = {"id": f"pf-{at_ms}", "account_id": account_id, "event": "payment_failed", "ts": at_ms}
    return json.dumps(line).encode()


def _lines(now_ms: int) -> Iterator[dict[str, Any]]:
    number = 0
    for account, (mrr, renewal_days, fell) in ACCOUNTS.items():
        first_ms = now_ms - DAYS * DAY_MS
        facts = {
            "name": account.title(), "segment": "enterprise" if mrr >= 1_000 else "smb",
            "mrr": mrr, "owner": "kim", "renewal_at": now_ms + renewal_days * DAY_MS,
        }  # fmt: skip
        said = {"id": f"{account}-p", "type": "profile", "account_id": account, "ts": first_ms}
        yield {**said, "profile": facts}
        for ago in range(DAYS - 1, -1, -1):
            is_low = fell and ago < FELL_DAYS
            if is_low and ago % 10 != 4:
                continue
            for user in range(1 if is_low else 5):
                for feature in range(1 if is_low else 3):
                    number += 1
                    at_ms = now_ms - ago * DAY_MS - DAY_MS // 3 + number % 3_600 * 1_000
                    yield {
                        "id": f"e{number}", "account_id": account, "event": "used", "ts": at_ms,
                        "user_id": f"u{user}@{account}.test",
                        "properties": {"feature": f"feature {feature}"},
                    }  # fmt: skip
