from pulse.notifier.decide import Firing
from pulse.notifier.delivery import Delivery, State, encode, encode_endpoint, encode_position
from pulse.notifier.ledger import Ledger

NOW_MS = 1_700_000_000_000
DAY_MS = 86_400_000


def delivery(status: str, state: State, **changes: object) -> Delivery:
    fields: dict[str, object] = {
        "id": f"al_x_cs_{status}",
        "alert_id": "al_x",
        "receiver": "cs",
        "status": status,
        "state": state,
        "at_ms": NOW_MS,
        "created_ms": NOW_MS,
        "due_ms": NOW_MS,
        "origin": "pulse.alerts/0/0",
        "epoch": 1,
        "next_ms": NOW_MS if state in (State.PENDING, State.RETRYING) else None,
    }
    return Delivery(**(fields | changes))  # type: ignore[arg-type]  # each field has its own


def read(*deliveries: Delivery) -> Ledger:
    ledger = Ledger(0)
    for each in deliveries:
        ledger.read(*encode(each))
    return ledger


def firing_of(ledger: Ledger) -> Firing:
    return ledger.lane("al_x", "cs").firing


def test_a_new_firing_is_untried_until_it_is_attempted() -> None:
    ledger = Ledger(0)
    assert firing_of(ledger) is Firing.UNKNOWN

    ledger.put(delivery("firing", State.PENDING))
    assert firing_of(ledger) is Firing.UNTRIED
    assert len(ledger) == 1

    ledger.in_flight.add("al_x_cs_firing")
    assert firing_of(ledger) is Firing.IN_FLIGHT
    ledger.in_flight.clear()
    ledger.put(delivery("firing", State.RETRYING, attempts=1))
    assert firing_of(ledger) is Firing.TRIED

    ledger.put(delivery("firing", State.SUCCEEDED, attempts=2))
    assert firing_of(ledger) is Firing.TOLD
    assert len(ledger) == 0


def test_a_firing_that_was_due_before_a_restart_may_have_been_attempted() -> None:
    due = read(delivery("firing", State.PENDING))
    due.recovered(NOW_MS)
    later = read(delivery("firing", State.PENDING, next_ms=NOW_MS + 1))
    later.recovered(NOW_MS)

    assert firing_of(due) is Firing.TRIED
    assert firing_of(later) is Firing.UNTRIED


def test_no_more_may_have_been_attempted_than_the_holder_could_have_under_way() -> None:
    names = ["al_a", "al_b", "al_c", "al_d"]
    waiting = [
        delivery("firing", State.PENDING, id=f"{name}_cs_firing", alert_id=name, next_ms=due_ms)
        for name, due_ms in zip(
            names, [NOW_MS - 1, NOW_MS - 3, NOW_MS - 2, NOW_MS - 1], strict=True
        )
    ]
    ledger = read(*waiting)
    ledger.read(*encode_position(1, 4, 3))

    ledger.recovered(NOW_MS)

    tried = [name for name in names if ledger.lane(name, "cs").firing is Firing.TRIED]
    assert tried == ["al_a", "al_b", "al_c"]


def test_done_without_an_attempt_is_not_told() -> None:
    for state in (State.SKIPPED, State.DISABLED, State.SUPERSEDED):
        assert firing_of(read(delivery("firing", state))) is Firing.NOT_TOLD
    for state in (State.FAILED, State.DISABLED, State.SUPERSEDED):
        assert firing_of(read(delivery("firing", state, attempts=1))) is Firing.TOLD


def test_a_resolving_waits_for_its_firing() -> None:
    ledger = Ledger(0)
    ledger.put(delivery("firing", State.PENDING))
    ledger.put(delivery("resolved", State.PENDING))

    assert ledger.ready("al_x_cs_resolved", NOW_MS) is None
    assert ledger.ready("al_x_cs_firing", NOW_MS) is not None
    ledger.put(delivery("firing", State.SUCCEEDED))
    assert ledger.ready("al_x_cs_resolved", NOW_MS) is not None


def test_what_was_overtaken_or_revoked_is_not_ready() -> None:
    ledger = Ledger(0)
    ledger.put(delivery("firing", State.RETRYING, next_ms=NOW_MS + 5))

    assert ledger.ready("al_x_cs_firing", NOW_MS) is None
    assert ledger.ready("al_x_cs_firing", NOW_MS + 5) is not None
    ledger.revoked = True
    assert ledger.ready("al_x_cs_firing", NOW_MS + 5) is None


def test_every_holder_has_an_epoch_of_its_own() -> None:
    ledger = read(delivery("firing", State.PENDING, epoch=3))
    ledger.read(*encode_position(4, 17, 8))

    ledger.recovered(NOW_MS)

    assert (ledger.epoch, ledger.position) == (5, 17)


def test_a_holder_that_was_thought_dead_is_not_believed() -> None:
    late = delivery("firing", State.SUPERSEDED, epoch=1)
    ledger = read(
        delivery("firing", State.PENDING, epoch=1),
        delivery("firing", State.RETRYING, epoch=2),
        late,
    )
    ledger.read(*encode_position(1, 3, 8))

    again = ledger.recovered(NOW_MS)

    assert len(ledger) == 1
    assert ledger.position is None
    # Compaction would keep the late word: ours is to be written again.
    assert [each.state for each in again] == [State.RETRYING]


def test_a_late_word_is_taken_where_compaction_left_no_other() -> None:
    ledger = Ledger(0)
    ledger.read(*encode_position(2, 9, 8))
    ledger.read(*encode(delivery("firing", State.RETRYING, epoch=1, attempts=1)))

    ledger.recovered(NOW_MS)

    assert ledger.position == 9
    assert firing_of(ledger) is Firing.TRIED


def test_an_alert_that_has_no_end_is_forgotten_some_time_after_it_was_sent() -> None:
    ledger = read(delivery("firing", State.FAILED, at_ms=NOW_MS - 40 * DAY_MS, ends=False))
    ledger.recovered(NOW_MS)

    assert ledger.expired(NOW_MS - 30 * DAY_MS, 10) == ["al_x_cs_firing", "al_x_cs_resolved"]


def test_a_lane_is_forgotten_some_time_after_its_end_and_not_before() -> None:
    ledger = read(
        delivery("firing", State.SUCCEEDED, at_ms=NOW_MS - 40 * DAY_MS),
        delivery("firing", State.SUCCEEDED, id="al_y_cs_firing", alert_id="al_y"),
        delivery("resolved", State.SUCCEEDED, at_ms=NOW_MS - 35 * DAY_MS),
    )
    ledger.recovered(NOW_MS)
    before_ms = NOW_MS - 30 * DAY_MS

    assert ledger.expired(before_ms - 10 * DAY_MS, 10) == []
    expired = ledger.expired(before_ms, 10)
    assert expired == ["al_x_cs_firing", "al_x_cs_resolved"]

    ledger.forget(expired)
    assert ledger.expired(before_ms, 10) == []
    assert firing_of(ledger) is Firing.UNKNOWN


def test_an_alert_that_still_fires_is_never_forgotten() -> None:
    ledger = read(delivery("firing", State.SUCCEEDED, at_ms=NOW_MS - 400 * DAY_MS))
    ledger.recovered(NOW_MS)

    assert ledger.expired(NOW_MS, 10) == []


def test_tombstones_forget() -> None:
    ledger = read(delivery("firing", State.PENDING))
    ledger.read(*encode_endpoint("cs", "http://x", NOW_MS, 410))
    assert set(ledger.endpoints) == {"endpoint/cs"}

    ledger.read("al_x_cs_firing", None)
    ledger.read("endpoint/cs", None)

    assert len(ledger) == 0
    assert firing_of(ledger) is Firing.UNKNOWN
    assert not ledger.endpoints
