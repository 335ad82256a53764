"""What the topics say is taken over, and what they cannot mean is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from pulse.alerting.people.account_notes import AccountNote, encode_note
from pulse.alerting.people.outcomes import Outcome, encode_outcome
from pulse.alerting.people.silences import encode_snooze
from pulse.alerting.records.delivery import Step
from pulse.alerting.records.envelope import wrap
from pulse.alerting.stages.muting import Snooze
from pulse.desk.books import AlertBook, MutedBook, OutcomeBook
from pulse.desk.notes import NoteBook
from pulse.testing.alerts import sample_alert
from pulse.web.deliveries import DeliveryBook

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_what_is_no_record_is_told_and_costs_the_others_nothing() -> None:
    alert = sample_alert()
    books = {
        "alerts": (AlertBook(10), alert.to_json()),
        "outcomes": (OutcomeBook(), b""),
        "silences": (MutedBook(), b""),
        "notes": (NoteBook(), b""),
        "deliveries": (DeliveryBook(), b""),
    }
    for name, (book, good) in books.items():
        with structlog.testing.capture_logs() as logs:
            for bad in (b"", b"{", b"[]", b"\xff", b'{"v": 9}', b'{"id": 1}'):
                book.take(b"snooze/al_1" if name != "deliveries" else b"alert/al_1", bad)
        assert len(logs) == 6, name
        if good:
            book.take(b"acme", good)
    found = books["alerts"][0]
    assert isinstance(found, AlertBook)
    assert [each.id for each in found] == [alert.id]


def test_a_tombstone_takes_out() -> None:
    muted, said = MutedBook(), OutcomeBook()
    key, value = encode_snooze(Snooze(alert_id="al_1", author="kim"))
    muted.take(key.encode(), value)
    muted.take(key.encode(), None)
    outcome = Outcome(
        alert_id="al_1", account_id="acme", reason="danger", outcome="saved", author="kim",
        at_ms=1, started_ms=0,
    )  # fmt: skip
    said.take(b"al_1", encode_outcome(outcome)[1])
    assert said.get("al_1") == outcome
    said.take(b"al_1", None)

    assert (muted.snoozes, list(said)) == ({}, [])


def test_notes_are_found_by_account_and_of_too_many_the_oldest_go() -> None:
    book = NoteBook(most=3)

    def comes(number: int, account_id: str) -> None:
        note = AccountNote(
            id=f"no_{number}", account_id=account_id, author="kim", at_ms=number, text="said"
        )
        key, value = encode_note(note)
        book.take(key.encode(), value)

    for number, account_id in enumerate(("acme", "acme", "globex", "acme")):
        comes(number, account_id)
    assert [each.id for each in book.of("acme")] == ["no_3", "no_1"]
    comes(1, "globex")  # it was renamed
    book.take(b"no_3", None)
    assert (book.of("acme"), [each.id for each in book.of("globex")]) == ([], ["no_2", "no_1"])
    assert (len(book), book.get("no_3"), book.get("no_0")) == (2, None, None)


def test_of_deliveries_what_one_thought_dead_wrote_is_not_believed() -> None:
    book = DeliveryBook()
    said = (
        b'{"id":"n","group":"g","receiver":"cs","alerts":[["al_1","firing"]],"labels":[],'
        b'"state":"%s","at_ms":1,"created_ms":1,"due_ms":1}'
    )
    for epoch, state in ((2, b"succeeded"), (1, b"pending")):
        book.take(b"notification/n", wrap(epoch, said % state))
    beside = b'{"origin":"t/0/1","due_ms":1,"path":[[5,"cs","silence","snoozed",9]]}'
    brief = (
        b'{"brief":{"id":"al_1","account_id":"acme","reason":"danger","status":"firing",'
        b'"severity":"critical","at_ms":1},"arrived_ms":1}'
    )
    book.take(b"alert/al_1", wrap(2, brief, beside))

    assert [each.state for each in book] == ["succeeded"]
    assert book.path("al_1") == (Step(5, "cs", "silence", "snoozed", 9),)
    assert book.path("al_2") == ()


def test_of_too_many_alerts_the_oldest_go() -> None:
    book = AlertBook(3)
    made = [sample_alert(f"a-{n}") for n in range(5)]
    for each in made:
        book.take(b"", each.to_json())

    assert [each.id for each in book] == [each.id for each in made[2:]]


def test_a_newer_state_makes_an_alert_young_again() -> None:
    book = AlertBook(2)
    first, second, third = (sample_alert(name) for name in ("a", "b", "c"))
    for each in (first, second, first, third):
        book.take(b"", each.to_json())

    assert {each.account_id for each in book} == {"a", "c"}


def test_what_comes_while_somebody_goes_through_a_book_disturbs_nobody() -> None:
    alerts, outcomes, deliveries = AlertBook(10), OutcomeBook(), DeliveryBook()
    said = Outcome(
        alert_id="al_0", account_id="acme", reason="danger", outcome="saved", author="kim",
        at_ms=1, started_ms=0,
    )  # fmt: skip
    sent = (
        b'{"id":"n","group":"g","receiver":"cs","alerts":[["al_1","firing"]],"labels":[],'
        b'"state":"pending","at_ms":1,"created_ms":1,"due_ms":1}'
    )

    def comes(n: int) -> None:
        alerts.take(b"", sample_alert(f"a-{n}").to_json())
        closed = msgspec.structs.replace(said, alert_id=f"al_{n}")
        outcomes.take(b"", encode_outcome(closed)[1])
        deliveries.take(b"notification/n%d" % n, wrap(1, sent))

    for n in range(2):
        comes(n)
    going_through: list[Iterator[object]] = [iter(alerts), iter(outcomes), iter(deliveries)]
    for each in going_through:
        next(each)
    comes(2)

    assert [len(list(each)) for each in going_through] == [1, 1, 1]
