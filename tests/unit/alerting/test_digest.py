"""The digest: whom it names, and how it says how many there are."""

from __future__ import annotations

import random

import pytest

from pulse.alerting.everybody.digest import MOST_NAMED, FleetStanding, Named, digest_alert
from pulse.engagement.line import Line
from pulse.model.notification import MAX_BODY_BYTES, webhook_body

LINE = Line(40, 50, 55, 0, 0, 5)
AT_MS = 1_729_798_381_000


def named(account_id: str, *reasons: str, mrr: float = 0, score: float | None = 30.0) -> Named:
    return Named(account_id, "", "", mrr, score, reasons or ("danger",))


ACME = Named("acme", "Acme", "ada", 1200.0, 31.2, ("danger",))
BETA = Named("beta", "", "", 0.0, None, ("silence",))


@pytest.mark.parametrize(
    ("standing", "severity", "summary"),
    [
        (
            FleetStanding("", 9, 240, {"ready_to_ask": 1}),
            "info",
            "The history is loaded: of 240 accounts none is in danger.",
        ),
        (
            FleetStanding(
                "", 9, 1_240, {"danger": 1, "approaching": 2, "silence": 1}, 4, (ACME, BETA)
            ),
            "warning",
            "The history is loaded: of 1,240 accounts 1 is in danger, 2 approach the line, 1 is "
            "silent. The worst: Acme (danger, MRR 1,200, score 31.2); beta (silence).",
        ),
        (
            FleetStanding("crm-1", 9, 2, {"danger": 2}),
            "info",
            "The load crm-1 has ended: of 2 accounts 2 are in danger. No alert that began within "
            "it still stands.",
        ),
        (
            FleetStanding(
                "crm-1", 9, 30, {"danger": 9}, 8, tuple(named(f"a{n}") for n in range(8))
            ),
            "warning",
            "The load crm-1 has ended: of 30 accounts 9 are in danger. In 8 of them it began "
            "within the load. The worst: a0 (danger, score 30.0); a1 (danger, score 30.0); a2 "
            "(danger, score 30.0); a3 (danger, score 30.0); a4 (danger, score 30.0); and 3 more.",
        ),
    ],
)
def test_it_says_how_many_and_who(standing: FleetStanding, severity: str, summary: str) -> None:
    record = digest_alert(standing, AT_MS, LINE, "Call.", "0123456789ab")
    alert = record.model()

    assert alert.to_json() == record.to_json()
    assert alert.summary == summary
    assert (alert.account_id, alert.reason, alert.severity) == ("*", "digest", severity)
    assert len(webhook_body(alert)) < MAX_BODY_BYTES


def test_the_evidence_has_what_is_known_of_those_it_names() -> None:
    standing = FleetStanding("crm-1", 9, 5, {"danger": 1, "silence": 1}, 2, (ACME, BETA))

    assert digest_alert(standing, AT_MS, LINE, "", "0" * 12).model().evidence == {
        "after": "load",
        "load": "crm-1",
        "accounts": 5,
        "by_reason": {"danger": 1, "silence": 1},
        "untold_accounts": 2,
        "worst": [
            {
                "account_id": "acme", "name": "Acme", "owner": "ada", "mrr": 1200.0, "score": 31.2,
                "reasons": ["danger"],
            },
            {"account_id": "beta", "reasons": ["silence"]},
        ],
    }  # fmt: skip


def test_two_that_begin_at_one_instant_are_two() -> None:
    one, two = (digest_alert(FleetStanding("", n, 1), AT_MS, LINE, "", "0" * 12) for n in (7, 8))

    assert one.fields["id"] != two.fields["id"]


@pytest.mark.parametrize("seed", range(10))
def test_the_worst_of_parts_are_the_worst_of_all_in_any_order(seed: int) -> None:
    chance = random.Random(seed)
    everybody = [
        named(
            f"a{n:02}", chance.choice(["danger", "silence"]),
            mrr=chance.choice([0, 10, 10.5]), score=chance.choice([None, 20.0, 31.2]),
        )
        for n in range(60)
    ]  # fmt: skip
    chance.shuffle(everybody)
    parts = [everybody[:7], [], everybody[7:50], everybody[50:]]
    whole = FleetStanding("", 1)
    for part in chance.sample(parts, len(parts)):
        worst = tuple(sorted(part, key=Named.rank)[:MOST_NAMED])
        whole = whole.merged(
            FleetStanding("", 1, len(part), {"danger": len(part)}, len(part), worst)
        )

    assert whole.worst == tuple(sorted(everybody, key=Named.rank)[:MOST_NAMED])
    assert (whole.accounts, whole.untold, whole.by_reason) == (60, 60, {"danger": 60})
    ranked = [("danger" in e.reasons, e.mrr) for e in whole.worst]
    assert ranked == sorted(ranked, reverse=True)
