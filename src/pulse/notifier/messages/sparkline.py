"""An account's scores against the line: as text, and as a picture for mail.

An alert carries the scores of the 28 days before it and the score that it has. An alert that was
made by an earlier pulse, or of an account that had no score before, has only the last of them, and
for some reasons the one of 28 days before: what is drawn is what there is.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from pulse.model import Alert

_CELLS: Final = 20
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_HALF: Final = len(_BLOCKS) // 2
_MISSING: Final = "·"

_WIDTH: Final = 320
_HEIGHT: Final = 96
_MARGIN: Final = 6
_BACKGROUND, _DANGER, _LINE, _APPROACH, _SCORE = range(5)
_PALETTE: Final = bytes.fromhex("ffffff fde4e1 c9302c e0b050 1f4e79")
_THICK: Final = 2
_DOT: Final = 4


def scores_of(alert: Alert) -> tuple[float | None, ...]:
    """The scores that an alert carries, at even distances, the oldest first; None where a day had
    none. Empty where the account has no score now.
    """
    if alert.score is None:
        return ()
    if alert.scores:
        return (*alert.scores, float(alert.score))
    then = alert.evidence.get("score_then")
    if isinstance(then, (int, float)) and not isinstance(then, bool):
        return float(then), float(alert.score)
    return (float(alert.score),)


def gauge(score: float, line: float) -> str:
    """A score from 0 to 100 and where danger begins.

    >>> gauge(31, 40), gauge(72, 40)
    ('██████░░┃░░░░░░░░░░░', '████████┃█████░░░░░░')
    """
    full = round(_CELLS * min(max(score, 0), 100) / 100)
    cells = ["█" if cell < full else "░" for cell in range(_CELLS)]
    cells[min(int(_CELLS * line / 100), _CELLS - 1)] = "┃"
    return "".join(cells)


def sparkline(scores: Sequence[float | None], line: float) -> str:
    """Scores from 0 to 100, a block each: the lower half of the blocks is what is below the line.

    >>> sparkline([72, 64, None, 55, 46, 41, 39.5, 31, 12, 0], 40)
    '▇▆·▆▅▅▄▄▂▁'
    """
    return "".join(_MISSING if score is None else _block(score, line) for score in scores)


def _block(score: float, line: float) -> str:
    if score < line:
        return _BLOCKS[min(int(_HALF * max(score, 0) / line), _HALF - 1)]
    above = _HALF * (min(score, 100) - line) / (100 - line) if line < 100 else 0
    return _BLOCKS[min(_HALF + int(above), len(_BLOCKS) - 1)]


def picture(scores: Sequence[float | None], enter: float, approach: float) -> bytes:
    """A PNG of the scores, at even distances, with the zone of danger and the line on its edge.

    Nothing is drawn where there is no score.
    """
    rows = [bytearray([_BACKGROUND] * _WIDTH) for _ in range(_HEIGHT)]
    edge = _y(enter)
    for row in rows[edge:]:
        row[:] = bytes([_DANGER]) * _WIDTH
    for x in range(0, _WIDTH, 8):
        rows[_y(approach)][x : x + 4] = bytes([_APPROACH]) * 4
    rows[edge][:] = bytes([_LINE]) * _WIDTH
    before: tuple[int, int] | None = None
    for number, score in enumerate(scores):
        place = None if score is None else (_x(number, len(scores)), _y(score))
        if place is not None:
            for x, y in _between(before or place, place):
                _dot(rows, x, y, _THICK)
            if number == len(scores) - 1:
                _dot(rows, *place, _DOT)
        before = place
    return _png(rows)


def _x(number: int, count: int) -> int:
    room = _WIDTH - 1 - 2 * _MARGIN
    return _MARGIN + (round(room * number / (count - 1)) if count > 1 else room // 2)


def _y(score: float) -> int:
    room = _HEIGHT - 1 - 2 * _MARGIN
    return _MARGIN + round(room * (1 - min(max(score, 0), 100) / 100))


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    for step in range(steps + 1):
        yield (
            start[0] + round((end[0] - start[0]) * step / steps),
            start[1] + round((end[1] - start[1]) * step / steps),
        )


def _dot(rows: list[bytearray], x: int, y: int, size: int) -> None:
    half = size // 2
    for row in rows[max(y - half, 0) : y - half + size]:
        for column in range(max(x - half, 0), min(x - half + size, _WIDTH)):
            row[column] = _SCORE


def _png(rows: list[bytearray]) -> bytes:
    """Eight bits a pixel, with a palette (https://www.w3.org/TR/png-3/)."""
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 3, 0, 0, 0)
    lines = b"".join(b"\0" + row for row in rows)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", _PALETTE),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
