"""What `pulse emit` refuses, and how it says what it has done."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from pulse.cli.emit import command, in_words
from pulse.playback.emit import Played


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"history": True, "load": True}, "--history is for new topics, --load for those in use"),
        ({"resume": True}, "--resume goes on with a --history or a --load"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(typer.BadParameter, match=why):
        command(["x.ndjson"], **options)


def test_it_says_what_a_load_left_out() -> None:
    played = Played(events=3, partitions=2, too_old=1_200, passed_over=7, load="load-1")

    assert in_words(played, "pulse.events")[1:] == [
        "loaded       load-1; a digest says what came of it",
        "too old      1,200 events of more than 90 days ago, not sent",
        "passed over  7 events that are there already",
    ]
