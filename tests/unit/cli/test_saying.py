"""What is said of alerts from a terminal: by whom, and until when."""

from __future__ import annotations

import pytest

from pulse.cli.auditing import author_of
from pulse.cli.saying import end_of
from pulse.errors import PulseError
from pulse.model.time import MAX_DURATION_MS

NOW = 1_700_000_000_000


@pytest.mark.parametrize("name", ["", "kim\n", "k" * 257, "\udc80"])
def test_who_says_it_has_a_name_that_can_be_read(name: str) -> None:
    with pytest.raises(PulseError, match="somebody must say it"):
        author_of(name)


def test_a_name_stands_as_it_was_said() -> None:
    assert author_of("Kim Müller") == "Kim Müller"


def test_until_when_by_either_option() -> None:
    assert end_of(5, None, NOW) == NOW + 5
    assert end_of(None, NOW + MAX_DURATION_MS, NOW) == NOW + MAX_DURATION_MS


def test_it_ends_and_within_a_year() -> None:
    with pytest.raises(PulseError, match="it must end"):
        end_of(None, None, NOW)
    with pytest.raises(PulseError, match="it must end"):
        end_of(5, NOW + 5, NOW)
    for until_ms in (NOW, NOW + MAX_DURATION_MS + 1):
        with pytest.raises(PulseError, match="after now, and within 366 days"):
            end_of(None, until_ms, NOW)
