from __future__ import annotations

import gzip
import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pulse.errors import PulseError
from pulse.playback import lines as room
from pulse.playback.lines import FileLine, Lines, read_lines

if TYPE_CHECKING:
    from pathlib import Path


def texts(*paths: Path) -> list[bytes]:
    return [line.raw for line in read_lines(paths)]


def test_lines_have_file_and_number(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(b'{"a":1}\n\n{"b":2}')

    assert list(read_lines([file])) == [
        FileLine(str(file), 1, b'{"a":1}'),
        FileLine(str(file), 3, b'{"b":2}'),
    ]


def test_files_come_in_the_order_given(tmp_path: Path) -> None:
    first, second = tmp_path / "z", tmp_path / "a"
    first.write_bytes(b"1\n2\n")
    second.write_bytes(b"3\n")

    assert texts(first, second, first) == [b"1", b"2", b"3", b"1", b"2"]


@pytest.mark.parametrize("name", ["events.ndjson.gz", "events.ndjson"])
def test_gzip_is_known_by_its_bytes(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(b"1\n2\n") + gzip.compress(b"3\n"))

    assert texts(file) == [b"1", b"2", b"3"]


def test_a_plain_file_may_be_called_gz(tmp_path: Path) -> None:
    file = tmp_path / "events.gz"
    file.write_bytes(b"1\n")

    assert texts(file) == [b"1"]


def test_windows_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b'\xef\xbb\xbf{"a":1}\r\n \t\r\n{"b":2}\r\n')

    assert texts(file) == [b'{"a":1}', b'{"b":2}']


def test_nothing_else_is_taken_from_a_line(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b' {"a":1} \x00\n\xff\n\x0c\n')

    assert texts(file) == [b' {"a":1} \x00', b"\xff", b"\x0c"]


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a", tmp_path / "b"
    plain.write_bytes(b"")
    packed.write_bytes(gzip.compress(b""))

    assert texts(plain, packed) == []


def test_the_rest_of_an_endless_line_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LONGEST_LINE", 8)
    file = tmp_path / "a"
    file.write_bytes(b"1\n" + b"x" * 50 + b"\n3\n" + b"1234567\n" + b"12345678\n" + b"y" * 20)

    assert list(Lines([file])) == [
        FileLine(str(file), number, raw)
        for number, raw in enumerate(
            [b"1", b"x" * 8, b"3", b"1234567", b"12345678", b"y" * 8], start=1
        )
    ]


def test_how_far_it_is_is_told_in_bytes_of_the_files(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a", tmp_path / "b"
    plain.write_bytes(b"1\n" * 100_000)
    packed.write_bytes(gzip.compress(b"2\n" * 100_000))
    lines = Lines([plain, packed])
    seen = [lines.read_bytes for _ in lines]

    assert lines.total_bytes == plain.stat().st_size + packed.stat().st_size
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[100_000 - 1] <= 200_000 < seen[-1] <= lines.total_bytes
    assert lines.read_bytes == lines.total_bytes


def test_missing_files_are_named_before_anything_is_read(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_bytes(b"1\n")

    with pytest.raises(PulseError, match=r"cannot read .*gone: no such file"):
        Lines([there, tmp_path / "gone"])


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(PulseError, match="is a directory: name its files"):
        Lines([tmp_path])


def test_why_a_file_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(PulseError, match=r"cannot read .*a/b: not a directory"):
        Lines([tmp_path / "a" / "b"])


def damaged(how: str) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as file:
        for number in range(50_000):
            file.write(b"%d\n" % (number * number))
    whole = buffer.getvalue()
    return {
        "cut off": whole[:-2000],
        "overwritten": whole[:20_000] + b"\0" * 40 + whole[20_040:],
        "another checksum": whole[:-8] + b"\1\2\3\4" + whole[-4:],
        "more behind it": whole + b"hello",
    }[how]


@pytest.mark.parametrize("how", ["cut off", "overwritten", "another checksum", "more behind it"])
def test_damaged_gzip_is_named_with_what_to_do(tmp_path: Path, how: str) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(damaged(how))

    with pytest.raises(PulseError) as caught:
        list(Lines([file]))

    assert f"{file} is damaged" in str(caught.value)
    assert "gzip -t" in str(caught.value)


@pytest.mark.parametrize("content", [b"1\n2\n", gzip.compress(b"1\n2\n")], ids=["plain", "gzipped"])
def test_a_dash_is_standard_input(content: bytes) -> None:
    code = (
        "from pulse.playback.lines import Lines\n"
        "lines = Lines(['-'])\n"
        "print(lines.total_bytes, [tuple(line) for line in lines])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True)

    assert done.stdout.decode() == "None [('-', 1, b'1'), ('-', 2, b'2')]\n"


def test_standard_input_is_named_once() -> None:
    with pytest.raises(PulseError, match="named twice"):
        Lines(["-", "-"])
