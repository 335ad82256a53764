"""What became of alerts: written, read back, and what it says of the rules that raised them."""

from __future__ import annotations

import msgspec
import pytest

from pulse.alerting.people.outcomes import (
    EVENT,
    Outcome,
    Word,
    decode_outcome,
    encode_outcome,
    event_of,
    newest,
    outcome_of,
)
from pulse.alerting.people.precision import Tally, by_reason, interval, proposals
from pulse.config import Config
from pulse.config.policy import policy
from pulse.model import UsageEvent, read_record
from pulse.testing.histories import usage
from pulse.testing.playing import Play

SAID = Outcome(
    alert_id="al_1", account_id="acme", reason="danger", outcome="saved", author="kim",
    at_ms=1_729_798_381_000, started_ms=1_729_700_000_000, segment="smb", note="called them",
)  # fmt: skip


def judged(reason: str, word: Word, number: int, segment: str = "") -> list[Outcome]:
    return [
        msgspec.structs.replace(
            SAID, alert_id=f"{reason}-{segment}-{word}-{each}", reason=reason, outcome=word,
            segment=segment,
        )
        for each in range(number)
    ]  # fmt: skip


def test_a_record_says_what_was_said() -> None:
    key, value = encode_outcome(SAID)

    assert (key, decode_outcome(value)) == ("al_1", SAID)


def test_a_record_of_a_later_version_is_not_guessed_at() -> None:
    value = encode_outcome(SAID)[1].replace(b'"v":1', b'"v":2')

    with pytest.raises(ValueError, match="version 2"):
        decode_outcome(value)


def test_the_event_is_one_of_the_language_and_no_user_of_the_product_did_it() -> None:
    event = read_record(event_of(SAID))

    assert isinstance(event, UsageEvent)
    assert (event.account_id, event.event, event.source) == ("acme", EVENT, "pulse")
    assert event.user_id is None
    assert b"kim" in event_of(SAID)
    assert b"called them" not in event_of(SAID)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b'{"event": "pulse.alert_closed"}', b'{"event": "x", "why": "pulse.alert_closed"}',
     event_of(SAID).replace(b'"saved"', b'"lost"'), event_of(SAID).replace(b"2024", b"yyyy"),
     b"\xff pulse.alert_closed", event_of(SAID).replace(b'"source":"pulse"', b'"source":"web"')],
)  # fmt: skip
def test_what_is_no_such_event_says_nothing(line: bytes) -> None:
    assert outcome_of(line) is None


def test_the_newest_word_on_an_alert_counts() -> None:
    later = msgspec.structs.replace(SAID, outcome="churned", at_ms=SAID.at_ms + 1)

    assert newest([later, SAID]) == newest([SAID, later]) == {"al_1": later}


def test_closing_an_alert_is_no_use_of_the_product() -> None:
    # Whatever else is configured, also that everything counts.
    rules = policy(Config.model_validate({"usage": {"weights": [{"event": "*", "weight": 5}]}}))

    def statuses(*more: bytes) -> dict[str, object]:
        play = Play(rules)
        play.add(usage("e1", "acme", "2024-10-24T10:00:00Z"))
        play.add(*more)
        play.tick("2024-10-26T00:00:00Z")
        assert play.outcome.counts["weightless"] == len(more)
        return play.status("acme")

    assert statuses(event_of(SAID)) == statuses()


# -- precision -------------------------------------------------------------------------------------


def test_an_alert_that_nobody_looked_into_says_nothing_of_its_rule() -> None:
    said = {"saved": 1, "churned": 2, "false_alarm": 1, "ignored": 9}
    found = by_reason(each for word, n in said.items() for each in judged("danger", word, n))

    assert found == {"danger": Tally(1, 2, 1, 9)}
    assert found["danger"].precision == 0.75
    assert Tally(ignored=3).precision is None


def test_the_interval_is_wilsons() -> None:
    # As statsmodels' proportion_confint(3, 20, method="wilson") has it.
    assert interval(3, 20) == pytest.approx((0.05237, 0.36042), abs=1e-5)
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(0, 10)[0] == 0.0


def test_a_noisy_reason_is_named_with_what_to_do() -> None:
    said = [*judged("usage_drop", "saved", 3), *judged("usage_drop", "false_alarm", 17),
            *judged("danger", "churned", 18), *judged("danger", "false_alarm", 2)]  # fmt: skip

    assert [str(each) for each in proposals(said)] == [
        "usage_drop: 3 of 20 were right: raise signals.usage_drop.share, or silence it"
    ]


def test_where_it_is_noisy_in_one_segment_alone_that_one_is_named() -> None:
    free = [*judged("silence", "saved", 1, "free"), *judged("silence", "false_alarm", 15, "free")]
    pro = [*judged("silence", "saved", 9, "pro"), *judged("silence", "false_alarm", 1, "pro")]
    said = [*free, *pro]

    assert [str(each) for each in proposals(said)] == [
        "silence: 1 of 16 were right in segment free: raise signals.silence.days, or silence it "
        "there"
    ]


def test_of_few_nothing_is_proposed_and_neither_where_chance_may_be() -> None:
    few = judged("silence", "false_alarm", 9)
    chance = [*judged("danger", "saved", 4), *judged("danger", "false_alarm", 8)]

    assert proposals([*few, *chance]) == []


def test_every_setting_that_is_proposed_is_there() -> None:
    from pulse.alerting.people.precision import _SETTINGS

    known = Config().model_dump(by_alias=True)
    for advice in _SETTINGS.values():
        path = next(word for word in advice.replace(",", "").split() if "." in word)
        found = known
        for name in path.split("."):
            assert name in found, advice
            found = found[name]
