"""What the records of each topic are, for who reads a topic without pulse."""

from typing import Final, NamedTuple


class Records(NamedTuple):
    """What the key and the value of a topic's records are."""

    key: str
    value: str


RECORDS: Final = {
    "events": Records(
        "`account_id`; none where one record has several accounts' lines, and on control records",
        "one JSON object, or several, one a line: `schemas/usage-event.schema.json` or "
        "`schemas/profile.schema.json`; a record with the header `pulse-control` is of pulse's own",
    ),
    "alerts": Records(
        "`account_id`; `*` where an alert is about no single account",
        "an alert as it stands now: `schemas/alert.schema.json`",
    ),
    "deadletter": Records(
        "none",
        "the bytes as they came, up to 900,000; the headers `pulse-reason` and `pulse-detail` say "
        "why, and `pulse-origin` (topic/partition/offset/line) where they stood, if in Kafka",
    ),
    "deliveries": Records(
        "the kind of a record and its id, like `notification/ID`",
        "of the notifier alone, with a version: it may change with every release. "
        "`pulse deliveries` reads it",
    ),
    "keys": Records(
        "SHA-256 of the key", "JSON: what it begins with, its source, when it was made"
    ),
    "links": Records("JSON: source and user", "the account's id; empty where the link has ended"),
    "changelog": Records(
        "`page/…` or `manifest/…`",
        "of the worker alone, packed, with a version: `pulse export` reads it",
    ),
    "tokens": Records(
        "SHA-256 of the token", "JSON: what it begins with, its name, its role, when it was made"
    ),
    "users": Records(
        "`user/NAME` or `rehash/NAME`",
        "JSON: the name, the role, what argon2 makes of the password, when it was made; `rehash` "
        "is the same password, kept with newer parameters",
    ),
    "history": Records(
        "`account_id`",
        "an account's day: `schemas/account-day.schema.json`; where it goes on under another id: "
        "`schemas/account-moved.schema.json`; empty where it was erased",
    ),
    "silences": Records(
        "`silence/ID`, `snooze/ALERT` or `replay/ID`",
        "JSON: what is held, by whom, why and until when; empty where it has ended",
    ),
    "notes": Records(
        "the note's id", "JSON: the account, who wrote what, and when; empty where it was erased"
    ),
    "outcomes": Records("the alert's id", "JSON: what became of it, who said so, when, and a note"),
    "audit": Records(
        "the entry's id", "who changes what, before it is done: `schemas/audit-entry.schema.json`"
    ),
}
"""By the topic's name in `kafka.topics`."""
