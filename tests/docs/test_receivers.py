"""What docs/receivers.md shows can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from pulse.config import Config
from pulse.config.loading import read
from pulse.config.receivers import Receiver
from pulse.notifier.messages.facts import AlertFacts, MessageFacts
from pulse.notifier.messages.sample import sample_messages
from pulse.notifier.messages.templates import Style, check

PAGE = (Path(__file__).parents[2] / "docs" / "receivers.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def kinds() -> set[str]:
    union = get_args(Receiver)[0]
    fields: list[Any] = [each.model_fields["kind"] for each in get_args(union)]
    return {get_args(each.annotation)[0] for each in fields}


def test_every_kind_is_in_the_tables_and_has_an_example() -> None:
    shown = set(re.findall(r"kind: (\w+)", PAGE))

    assert kinds() <= shown
    for kind in kinds():
        assert len(re.findall(rf"^\| .*`{kind}`", PAGE, re.MULTILINE)) >= 2, kind


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_example_is_valid_and_short(block: str) -> None:
    text = block if block.startswith("receivers:") else f"receivers:\n{block}"

    assert read(Config, text).receivers
    assert len(block.splitlines()) <= 10


@pytest.mark.parametrize("block", blocks("jinja"))
def test_every_template_can_be_used(block: str) -> None:
    check(Style.SLACK, block, sample_messages("UTC"))


def test_every_fact_is_named() -> None:
    section = PAGE.split("`message` has", 1)[1].split("For mail", 1)[0]
    message, alert = section.split("`alert` has", 1)

    assert set(re.findall(r"`(\w+)`", message)) == set(MessageFacts.__dataclass_fields__)
    assert set(re.findall(r"`(\w+)`", alert)) == set(AlertFacts.__dataclass_fields__)
