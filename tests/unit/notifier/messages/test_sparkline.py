"""What is drawn: the score against the line."""

import struct
import zlib

import pytest

from pulse.notifier.messages.sparkline import gauge, picture, scores_of, sparkline
from pulse.testing.alerts import sample_alert


@pytest.mark.parametrize(
    ("score", "line", "drawn"),
    [
        (0, 40, "░░░░░░░░┃░░░░░░░░░░░"),
        (100, 40, "████████┃███████████"),
        (39.9, 40, "████████┃░░░░░░░░░░░"),
        (50, 0, "┃█████████░░░░░░░░░░"),
        (50, 100, "██████████░░░░░░░░░┃"),
        (-3, 40, "░░░░░░░░┃░░░░░░░░░░░"),
        (130, 40, "████████┃███████████"),
    ],
)
def test_a_gauge(score: float, line: float, drawn: str) -> None:
    assert gauge(score, line) == drawn


@pytest.mark.parametrize(
    ("scores", "line", "drawn"),
    [
        ((0, 10, 20, 30, 39.9, 40, 55, 70, 85, 100), 40, "▁▂▃▄▄▅▆▇██"),
        ((50, None, None, 30), 40, "▅··▄"),
        ((-5, 130), 40, "▁█"),
        ((0, 50, 100), 0, "▅▇█"),
        ((0, 50, 99, 100), 100, "▁▃▄▅"),
        ((), 40, ""),
    ],
)
def test_blocks_of_the_lower_half_are_below_the_line(
    scores: tuple[float | None, ...], line: float, drawn: str
) -> None:
    assert sparkline(scores, line) == drawn


def test_the_scores_are_those_that_the_alert_carries() -> None:
    assert scores_of(sample_alert(scores=(60, None, 45))) == (60, None, 45, 31.25)
    assert scores_of(sample_alert(scores=(60, 45), score=None)) == ()


def test_an_alert_of_an_earlier_pulse_has_the_scores_of_now_and_of_then() -> None:
    assert scores_of(sample_alert(evidence={"score_then": 62.5})) == (62.5, 31.25)
    assert scores_of(sample_alert(evidence={})) == (31.25,)
    assert scores_of(sample_alert(evidence={"score_then": "x"})) == (31.25,)
    assert scores_of(sample_alert(score=None)) == ()


def pixels(png: bytes) -> list[bytes]:
    """The rows of a PNG with a palette; asserts that it is one."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, data, kinds = 8, b"", []
    width = height = 0
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        content = png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", png[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(kind + content)
        kinds.append(kind)
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", content[:10])
            assert (depth, colour) == (8, 3)
        if kind == b"IDAT":
            data += content
        place += 12 + length
    assert kinds == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    raw = zlib.decompress(data)
    assert len(raw) == height * (width + 1)
    return [raw[row * (width + 1) + 1 : (row + 1) * (width + 1)] for row in range(height)]


BACKGROUND, DANGER, LINE, APPROACH, SCORE = range(5)


def test_the_picture_shows_the_line_and_the_way_of_the_score_across_it() -> None:
    rows = pixels(picture((80, 20), 40, 55))
    edge = next(number for number, row in enumerate(rows) if row.count(LINE) > len(row) // 2)

    assert all(DANGER not in row for row in rows[:edge])
    assert all(BACKGROUND not in row for row in rows[edge + 1 :])
    assert any(APPROACH in row for row in rows[:edge])
    left = [number for number, row in enumerate(rows) if SCORE in row[:20]]
    right = [number for number, row in enumerate(rows) if SCORE in row[-20:]]
    assert max(left) < edge < min(right)


def test_all_points_are_drawn_and_nothing_where_there_is_none() -> None:
    rows = pixels(picture((90, None, None, 60, 20), 40, 55))
    columns = [any(row[x] == SCORE for row in rows) for x in range(len(rows[0]))]

    # At even distances: the first point, a gap of two days, and a way from the fourth to the fifth.
    first, fourth, fifth = 6, 237, 313
    assert columns[first]
    assert not any(columns[first + 4 : fourth - 4])
    assert all(columns[fourth : fifth + 1])


@pytest.mark.parametrize("scores", [(50,), (0,), (100,), (-5, 300), (50, 40, 30, 20, 60)])
def test_any_scores_can_be_drawn(scores: tuple[float, ...]) -> None:
    png = picture(scores, 0, 100)

    assert any(SCORE in row for row in pixels(png))
    assert len(png) < 3_000
