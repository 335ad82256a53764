"""What `pulse forget` writes where, and what it says of what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.cli.forget import Erased, What, command, is_of, places, records
from pulse.collector.links import Link
from pulse.collector.privacy import PLAIN, Privacy
from pulse.config import Config
from pulse.errors import PulseError
from pulse.placement import partition_of

if TYPE_CHECKING:
    from pathlib import Path

HASHING = Privacy("a key of enough letters")


def written(
    privacy: Privacy, what: What, name: str, account: str | None, *before: str
) -> list[tuple[int, object]]:
    found = []
    for partition, record in records(privacy, what, name, account, 4, before):
        said = msgspec.json.decode(record.value)
        assert said.pop("type") == "forget"
        assert said.pop("ts") > 0
        found.append((partition, said))
    return found


def test_it_is_written_where_it_may_be_known() -> None:
    acme = partition_of("acme", 4)

    # Also where an account was renamed to it.
    known = [(number, {"account": "acme"}) for number in range(4)]
    assert written(PLAIN, What.account, "acme", None) == known
    about = {"account": "acme", "user": "ada"}
    assert written(PLAIN, What.user, "ada", "acme") == [(acme, about)]
    everywhere = [(number, {"user": "ada"}) for number in range(4)]
    assert written(PLAIN, What.user, "ada", None) == everywhere
    # What came before ids were hashed, and what came since.
    hashed = about | {"user": HASHING.user("acme", "ada")}
    found = written(HASHING, What.user, "ada", "acme")
    assert sorted(found, key=str) == sorted([(acme, about), (acme, hashed)], key=str)
    # What came before the account was renamed is hashed by the id that it had.
    earlier = [json for _, json in written(HASHING, What.user, "ada", "acme", "acme-eu")]
    assert {"account": "acme", "user": HASHING.user("acme-eu", "ada")} in earlier


@pytest.mark.parametrize(
    ("link", "account", "user", "user_of_acme"),
    [
        (Link("web", "ada", "acme"), True, True, True),
        (Link("web", "ada", "globex"), False, True, False),
        (Link("web", "bob", "acme"), True, False, False),
        (Link("web", HASHING.linked("web", "ada"), "acme", is_hashed=True), True, True, True),
        (Link("app", HASHING.linked("web", "ada"), "acme", is_hashed=True), True, False, False),
    ],
)
def test_which_links_go(link: Link, account: bool, user: bool, user_of_acme: bool) -> None:
    assert is_of(link, HASHING, What.account, "acme", None) == account
    assert is_of(link, HASHING, What.user, "ada", None) == user
    assert is_of(link, HASHING, What.user, "ada", "acme") == user_of_acme


def test_every_topic_is_told_of_with_a_day() -> None:
    config = Config()
    found = list(places(config, {}, Erased(2, 3), 1_704_067_200_000))

    for name, topic in config.kafka.topics:
        assert any(each.startswith(f"{topic}: 20") for each in found) == (
            name not in ("keys", "tokens", "users")  # which know of no account
        )
    # Kafka deletes a segment when its newest record is old enough: that may be a week younger.
    assert found[0].startswith("pulse.events: 2024-01-22, ")
    assert found[1].startswith("pulse.state: 2024-01-02, ")
    # The record that erases a link has its key, so the user: it goes a day after it was compacted.
    assert found[2].startswith("pulse.links: 2024-01-04, ")
    assert found[2].endswith("2 links of it")
    assert not [each for each in found if "spool" in each]


def test_the_settings_that_topics_have_decide_when() -> None:
    config = Config.model_validate(
        {"collector": {"spool": "/var/spool/pulse"}, "redis": {"enabled": False}}
    )
    settings = {
        "pulse.events": {"retention.ms": "3600000", "segment.ms": "60000"},
        "pulse.alerts": {"retention.ms": "-1", "segment.ms": "60000"},
        "pulse.state": {"max.compaction.lag.ms": str(2**63 - 1)},
    }
    found = dict(
        each.split(": ", 1) for each in places(config, settings, Erased(0, 0), 1_704_067_200_000)
    )

    assert found["pulse.events"].startswith("2024-01-01")
    assert found["pulse.alerts"].startswith("never, by its retention.ms")
    assert found["pulse.state"].startswith("never, by its max.compaction.lag.ms; `pulse topics`")
    assert "collectors, /var/spool/pulse" in found
    assert not [each for each in found if each.startswith("Redis")]


def test_what_cannot_be_forgotten(tmp_path: Path) -> None:
    config = tmp_path / "pulse.yaml"
    (tmp_path / "key").write_text("a key of enough letters")
    config.write_text(f"collector: {{user_ids: hashed, user_key_file: {tmp_path / 'key'}}}\n")

    with pytest.raises(PulseError, match="cannot be an id"):
        command(What.user, "a\n")
    with pytest.raises(PulseError, match="--account and --formerly are for users"):
        command(What.account, "acme", "b")
    with pytest.raises(PulseError, match="in each account to something else"):
        command(What.user, "ada", config=config)
