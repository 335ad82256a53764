import msgspec
import pytest

from pulse.alerting.records.delivery import Beside, Delivery, Position, State, Step
from pulse.alerting.records.envelope import unwrap, wrap
from pulse.alerting.records.reader import Deliveries
from pulse.notifier.state.journal import Journal

PENDING = Delivery(
    id="al_x_cs_firing",
    group="gr_x",
    receiver="cs",
    alerts=(("al_x", "firing"),),
    labels=(("alert", "al_x"),),
    state=State.PENDING,
    at_ms=1_000,
    created_ms=1_000,
    due_ms=900,
    next_ms=1_000,
)
SUCCEEDED = PENDING.becomes(State.SUCCEEDED, 2_000)
KEY = "notification/al_x_cs_firing"


def said(delivery: Delivery) -> bytes:
    return msgspec.json.encode(delivery)


def test_what_is_written_is_read_back() -> None:
    journal = Journal()
    journal.begin()
    records = [
        journal.note(KEY, PENDING),
        journal.note("position", Position(offsets={0: 3, 7: 1})),
        journal.write("owners", b"4"),
    ]
    again, shown = Journal(), Deliveries()
    for key, value in records:
        again.read(key, value)
        shown.read(key, value)

    assert again.begin() == []
    assert again.deliveries == {PENDING.id: PENDING} == shown.notifications
    assert again.offsets == {0: 3, 7: 1}
    assert again.pipeline == [("owners", b"4")]
    assert (again.epoch, again.is_new) == (2, False)


def test_every_lead_has_an_epoch_of_its_own() -> None:
    journal = Journal()
    journal.read(KEY, wrap(3, said(PENDING)))
    journal.read("position", wrap(4, b'{"offsets":{}}'))
    journal.begin()

    assert journal.epoch == 5


def test_a_lead_that_was_thought_dead_is_not_believed() -> None:
    records = [(KEY, wrap(2, said(SUCCEEDED))), (KEY, wrap(1, said(PENDING)))]
    journal, shown = Journal(), Deliveries()
    for key, value in records:
        journal.read(key, value)
        shown.read(key, value)
    again = journal.begin()

    assert journal.deliveries == {PENDING.id: SUCCEEDED} == shown.notifications
    # Compaction would keep the late word: ours is to be written again.
    assert again == [(KEY, wrap(3, said(SUCCEEDED)))]


def test_a_late_word_is_taken_where_compaction_left_no_other() -> None:
    journal = Journal()
    journal.read("position", wrap(2, b'{"offsets":{"0":9}}'))
    journal.read(KEY, wrap(1, said(PENDING)))
    journal.begin()

    assert journal.offsets == {0: 9}
    assert journal.deliveries == {PENDING.id: PENDING}


def test_a_late_word_brings_nothing_back_that_is_gone() -> None:
    journal = Journal()
    for key, value in ((KEY, wrap(2, None)), (KEY, wrap(1, said(PENDING)))):
        journal.read(key, value)
    again = journal.begin()

    assert journal.deliveries == {}
    assert again == [(KEY, wrap(3, None))]


def test_what_is_gone_gets_its_tombstone_an_hour_later() -> None:
    journal = Journal()
    journal.begin()
    journal.write("group/gr_x", None)
    journal.write("group/gr_y", None)

    assert journal.tombstones() == []
    journal.write("group/gr_y", b"{}")
    assert journal.tombstones() == [("group/gr_x", None)]
    assert journal.tombstones() == []


def test_a_record_of_a_later_version_is_refused_not_misread() -> None:
    later = wrap(1, said(PENDING)).replace(b'"v":2', b'"v":3')

    for reader in (Journal(), Deliveries()):
        with pytest.raises(ValueError, match="version 3"):
            reader.read(KEY, later)


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b"\xff", b"[]", b'{"v":2}'])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError):
        unwrap(value)
    for reader in (Journal(), Deliveries()):
        with pytest.raises(ValueError):
            reader.read(KEY, value)


def test_the_last_steps_of_an_alert_are_kept_and_the_same_again_is_none() -> None:
    from pulse.alerting.brief import Decision

    beside = Beside(origin="pulse.alerts/0/1", due_ms=0)
    for number in range(20):
        decision = Decision("al_x", "cs", "silence", f"silenced:{number}", None)
        beside = beside.after(decision, number)
        assert beside.after(decision, number + 100) is beside

    assert len(beside.path) == 12
    assert beside.path[-1] == Step(19, "cs", "silence", "silenced:19", None)
