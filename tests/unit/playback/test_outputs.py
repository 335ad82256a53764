from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

import pytest

from pulse.errors import PulseError
from pulse.playback.lines import FileLine
from pulse.playback.outputs import LineFile, dead_letter
from pulse.playback.replay import Refused

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    place = tmp_path / "out.ndjson"
    with LineFile(place) as out:
        out.write(b"1")
        out.write(b"2")
        assert not place.exists()
        out.commit()

    assert place.read_bytes() == b"1\n2\n"
    assert out.lines == 2
    assert os.listdir(tmp_path) == ["out.ndjson"]


def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    with LineFile(tmp_path / "out") as out:
        out.commit()
    (tmp_path / "plain").touch()

    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_without_commit_the_older_file_stays(tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.write_bytes(b"older\n")

    with LineFile(place) as out:
        out.write(b"1")

    assert place.read_bytes() == b"older\n"
    assert os.listdir(tmp_path) == ["out"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(PulseError, match=r"cannot write .*gone/out: no such file"):
        LineFile(tmp_path / "gone" / "out")
    with pytest.raises(PulseError, match="is a directory"):
        LineFile(tmp_path)


def test_dev_null_stays_what_it_is() -> None:
    with LineFile("/dev/null") as out:
        out.write(b"1")
        out.commit()

    with open("/dev/null", "rb") as null:
        assert null.read() == b""


def test_a_dash_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with LineFile("-") as out:
        out.write(b"1")
        out.commit()

    assert capfdbinary.readouterr().out == b"1\n"


@pytest.mark.parametrize("raw", [b"{", "ä\0\u2028".encode()])
def test_text_is_kept_as_text(raw: bytes) -> None:
    letter = json.loads(dead_letter(Refused(FileLine("f", 3, raw), "not_json", "why")))

    assert letter == {
        "file": "f",
        "line": 3,
        "reason": "not_json",
        "detail": "why",
        "raw": raw.decode(),
    }


def test_what_is_no_text_is_kept_as_base64() -> None:
    letter = json.loads(dead_letter(Refused(FileLine("f", 3, b'{"a":"\xff"}'), "not_utf8", "why")))

    assert base64.b64decode(letter["raw_base64"]) == b'{"a":"\xff"}'
    assert "raw" not in letter
