"""What somebody probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A question that offers the known word most like this one; None if none is alike.

    >>> did_you_mean("entr", ["enter", "exit"])
    'did you mean "enter"?'
    """
    candidates = {each.lower().replace("-", "_"): each for each in known}
    nearest = get_close_matches(word.lower().replace("-", "_"), candidates, n=1, cutoff=0.7)
    return f'did you mean "{candidates[nearest[0]]}"?' if nearest else None
