"""The number that stands at a place among others, without ordering them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import i64

if TYPE_CHECKING:
    from librt.vecs import vec


def median(amounts: vec[float]) -> float:
    """The number in the middle, which `amounts` come nearer to being in order for.

    >>> from librt.vecs import vec
    >>> median(vec[float]([4.0, 1.0, 3.0, 2.0]))
    2.5
    """
    middle = len(amounts) // 2
    if len(amounts) % 2:
        return ranked(amounts, middle)
    return (ranked(amounts, middle - 1) + ranked(amounts, middle)) / 2.0


def ranked(amounts: vec[float], rank: int) -> float:
    """The number that would stand at `rank` if they were in order, which they come nearer to.

    Hoare's selection (1961): of hundreds of slopes four are wanted, and to order all takes longer.

    >>> from librt.vecs import vec
    >>> ranked(vec[float]([3.0, 1.0, 2.0]), 1)
    2.0
    """
    low, high, wanted = i64(0), i64(len(amounts) - 1), i64(rank)
    while low < high:
        pivot, left, right = amounts[wanted], low, high
        while left <= right:
            while amounts[left] < pivot:
                left += 1
            while pivot < amounts[right]:
                right -= 1
            if left <= right:
                amounts[left], amounts[right] = amounts[right], amounts[left]
                left += 1
                right -= 1
        if right < wanted:
            low = left
        if wanted < left:
            high = right
    return amounts[wanted]
