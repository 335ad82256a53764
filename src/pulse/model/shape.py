"""What is seen of a line's bytes before anything decodes them."""

from __future__ import annotations

from typing import Final

MAX_LINE_BYTES: Final = 1 << 20
"""A larger line is a mistake, not a usage event; it goes to the dead letter unread."""

MAX_DEPTH: Final = 256
"""JSON nested deeper is refused. How deep a decoder can go depends on the interpreter and on where
it is called from; what pulse counts must not."""


def all_objects(lines: list[bytes]) -> bool:
    """Whether each line begins with `{`, ends with `}`, and is neither too large nor too deep."""
    for line in lines:
        size = len(line)
        if size == 0 or line[0] != ord("{") or line[size - 1] != ord("}"):
            return False
        if size > 2 * MAX_DEPTH and not is_plain(line):
            return False
    return True


def is_plain(line: bytes) -> bool:
    """Whether it is seen at once that a line is neither too large nor too deep."""
    size = len(line)
    if size <= 2 * MAX_DEPTH:
        return True
    return size <= MAX_LINE_BYTES and line.count(b"[") + line.count(b"{") <= MAX_DEPTH
