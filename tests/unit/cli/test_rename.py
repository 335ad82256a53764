"""What `pulse rename` writes where."""

from __future__ import annotations

import msgspec
import pytest

from pulse.alerting.people.account_notes import AccountNote, decode_note
from pulse.cli.rename import command, records
from pulse.collector.links import Link
from pulse.config import Config
from pulse.errors import PulseError
from pulse.placement import partition_of


def test_it_is_written_where_the_old_id_is_and_links_follow() -> None:
    kafka = Config().kafka
    links = [Link("web", "ada", "acme"), Link("web", "0a1b", "acme", is_hashed=True)]
    note = AccountNote(id="no_1", account_id="acme", author="kim", at_ms=0, text="moves")
    *first, noted, last = records(kafka, links, [note], "acme", "globex", 7)

    for link, record in zip(links, first, strict=True):
        assert record.topic == kafka.topics.links
        assert record.partition == partition_of(link.user, kafka.partitions)
        assert record.key is not None
        assert Link.of(record.key, record.value) == link._replace(account="globex")
    assert (noted.topic, noted.key, noted.partition) == (kafka.topics.notes, b"no_1", 0)
    assert decode_note(noted.value or b"") == msgspec.structs.replace(note, account_id="globex")
    assert (last.topic, last.key) == (kafka.topics.events, None)
    assert last.partition == partition_of("acme", kafka.partitions)
    said = {"type": "rename", "ts": 7, "account": "acme", "to": "globex"}
    assert last.value is not None
    assert msgspec.json.decode(last.value) == said


def test_what_cannot_be_renamed() -> None:
    with pytest.raises(PulseError, match="cannot be an id"):
        command("a\n", "b")
    with pytest.raises(PulseError, match="cannot be an id"):
        command("a", "")
    with pytest.raises(PulseError, match="both are the same"):
        command("a", "a")
