"""Who looks after an account: whoever its profile says, else by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.alerting.brief import Brief

Rule = Literal["none", "least_loaded", "round_robin"]


@dataclass(frozen=True, slots=True)
class Owners:
    """How an owner is chosen for accounts whose profile names none, out of a `team`.

    `least_loaded`: who has the fewest accounts with an alert; of equals the first in the list.
    `round_robin`: one after the other. A choice stays while the account has an alert.

    >>> Owners("least_loaded", ("kim", "lee")).choose(0, {"kim": 3, "lee": 1, "max": 0})
    'lee'
    >>> [Owners("round_robin", ("kim", "lee")).choose(turn, {}) for turn in range(3)]
    ['kim', 'lee', 'kim']
    """

    rule: Rule = "none"
    team: tuple[str, ...] = ()

    def choose(self, turn: int, loads: Mapping[str, int]) -> str:
        """The next one; empty where nobody can be chosen. `turn` counts the choices before."""
        if self.rule == "none" or not self.team:
            return ""
        if self.rule == "round_robin":
            return self.team[turn % len(self.team)]
        return min(self.team, key=lambda name: loads.get(name, 0))

    def owner_of(self, brief: Brief, kept: str, turn: int, loads: Mapping[str, int]) -> str:
        """Who looks after the alert's account; `kept` was chosen for it before, if anybody was."""
        if brief.owner or brief.is_of_nobody:
            return brief.owner
        return kept if kept in self.team else self.choose(turn, loads)
