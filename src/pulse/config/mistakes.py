"""What is wrong in a configuration file: where, what, and what was probably meant."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from pulse.errors import PulseError

_OURS = "pulse"
"""The type of the pydantic errors that carry our own words."""


Place = tuple[str | int, ...]
"""The keys and indexes on the way to a setting."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `line` and `column` count from 1; 0 where it is about the file as a whole."""

    line: int
    column: int
    where: str
    """The setting, like `line.enter` or `receivers[0].url`; empty for the file as a whole."""
    message: str
    suggestion: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.suggestion}" if self.suggestion else text

    def at(self, path: str) -> str:
        """The mistake as one line, as compilers write it.

        >>> Mistake(12, 5, "line.entr", "unknown key", 'did you mean "enter"?').at("pulse.yaml")
        'pulse.yaml:12:5: line.entr: unknown key; did you mean "enter"?'
        """
        place = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{place}: {self}"


class ConfigError(PulseError):
    """The configuration cannot be used. `mistakes` has every mistake, in the file's order."""

    def __init__(self, mistakes: Iterable[Mistake], path: str = "configuration") -> None:
        self.mistakes = sorted(mistakes, key=lambda each: (each.line, each.column))
        self.path = path
        super().__init__("\n".join(each.at(path) for each in self.mistakes))

    def for_terminal(self) -> str:
        """Every mistake on a line of its own, as compilers do, and what follows from them."""
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        return f"{self}\npulse: {count} in {self.path}, nothing was started"


def refuse(
    message: str,
    *,
    suggestion: str | None = None,
    at: Place | None = None,
    or_at: Place | None = None,
) -> PydanticCustomError:
    """The error a validator raises to say something in our own words.

    `at` is the mistake's place seen from the section that the validated field belongs to (without
    it, the field itself); `or_at` is taken where the file does not say `at`.
    """
    context = {"message": message, "suggestion": suggestion, "at": at, "or_at": or_at}
    return PydanticCustomError(_OURS, "{message}", context)


def check_also(
    value: Any, check: Callable[[Any], Any], errors: Iterable[PydanticCustomError]
) -> Any:
    """What `check(value)` returns, or its mistakes and the `errors` together.

    For validators that look at a whole list or mapping: its own mistakes must not hide those of
    its items, nor the other way round.
    """
    details = [InitErrorDetails(type=each, loc=(), input=value) for each in errors]
    try:
        checked = check(value)
    except ValidationError as error:
        raise ValidationError.from_exception_data(
            error.title, [*_details(error), *details]
        ) from None
    if details:
        raise ValidationError.from_exception_data("configuration", details)
    return checked


def _details(error: ValidationError) -> Iterable[InitErrorDetails]:
    for each in error.errors(include_url=False):
        context = each.get("ctx", {})
        kind = refuse(**context) if each["type"] == _OURS else each["type"]
        yield InitErrorDetails(type=kind, loc=each["loc"], input=each["input"], ctx=context)
