"""What several partitions know of the whole becomes what each new one knows.

Accounts are moved as they are. Beside them a partition knows what its log said to every partition:
the clock, the fleet's lines, what is stopped, what is loaded. Where all logs were read to their
ends they agree in that, but for instants that lie a tick apart. Where they do not, a record that is
written into every partition has not come to all of them, and nobody but who wrote it can say what
is right: that is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pulse.engine.heard import SLOT_MS, SLOTS, Heard
from pulse.errors import PulseError
from pulse.stream.state.pages import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pulse.engine.fleet import FleetLine
    from pulse.engine.outages import Outage

T = TypeVar("T")


def merged(contexts: Sequence[Context], offset: int = 0) -> Context:
    """What the partitions know together, at an `offset` of new ones; in the order of their numbers.

    - clock: the greatest. A partition's clock is the largest tick seen, so this is the tick that
      the others lack, which comes to them now. By the least one, what was done by a later clock
      would come again, and minutes that were closed would be open.
    - first tick: the least; what was seen before it elsewhere gets the instant of its own
      (`moving`).
    - crossings told until: the least; what was told elsewhere since then is marked (`moving`).
    - summed day, digests: the greatest, so that nothing is counted twice. The summed configuration
      and the outages are those of partition 0, which begins the rounds and tells of sources: an
      alert's id holds the instant that it knows.
    - sources heard: up to where all of them had heard of a source, and in the half-hours in which
      all did. Which accounts an event was of is not known any more, and who takes a source for
      regular that is not takes it for stopped.

    Raises PulseError where they do not agree in what every partition is told.
    """
    first = contexts[0]
    clocks = [each.clock_ms for each in contexts if each.clock_ms is not None]
    ticks = [each.first_tick_ms for each in contexts if each.first_tick_ms is not None]
    return Context(
        offset=offset,
        clock_ms=max(clocks, default=None),
        first_tick_ms=min(ticks, default=None),
        historical=_same(contexts, "whether a history is played", lambda each: each.historical),
        config=_config(contexts),
        summed_day=max(each.summed_day for each in contexts),
        summed_config=first.summed_config,
        told_ms=min(each.told_ms for each in contexts),
        lines=_lines(contexts),
        outages=_outages(contexts),
        heard=_heard([each.heard for each in contexts]),
        digested=max(each.digested for each in contexts),
        loads=_loads(contexts),
    )


def _same(contexts: Sequence[Context], what: str, of: Callable[[Context], T]) -> T:
    """What all say. Raises PulseError where one says otherwise."""
    right = of(contexts[0])
    for number, each in enumerate(contexts):
        if of(each) != right:
            raise PulseError(
                f"partitions 0 and {number} do not agree {what}: a record that goes to all of them "
                "has not come to all",
                hint="say it again, let the workers read to the end, stop them, and run this again",
            )
    return right


def _config(contexts: Sequence[Context]) -> str | None:
    said = [each.config for each in contexts if each.config is not None]
    if len(set(said)) > 1:
        raise PulseError(
            f"partitions have come to different configurations: {', '.join(sorted(set(said)))}",
            hint="run `pulse activate` again, let the workers read to the end, stop them",
        )
    return said[0] if said else None


def _lines(contexts: Sequence[Context]) -> tuple[FleetLine, ...]:
    """All that may still hold somewhere; which is the last one all must say alike."""
    _same(contexts, "on the fleet's line", lambda each: each.lines[-1:])
    by_day = {line.day: line for each in contexts for line in each.lines}
    return tuple(by_day[day] for day in sorted(by_day))


def _outages(contexts: Sequence[Context]) -> tuple[Outage, ...]:
    def stopped(context: Context) -> list[str]:
        return sorted(each.source for each in context.outages if each.is_open)

    _same(contexts, "on which sources are stopped", stopped)
    return contexts[0].outages


def _loads(contexts: Sequence[Context]) -> dict[str, int]:
    names = _same(contexts, "on which loads go on", lambda each: sorted(each.loads))
    return {name: max(each.loads[name] for each in contexts) for name in names}


def _heard(partitions: Sequence[Mapping[str, Heard]]) -> dict[str, Heard]:
    """The sources that all have heard of.

    >>> some = {"web": Heard(2 * SLOT_MS + 7, 0b111), "app": Heard(5, 1)}
    >>> _heard([some, {"web": Heard(SLOT_MS + 5, 0b101)}]) == {"web": Heard(SLOT_MS + 5, 0b1)}
    True
    """
    found = {}
    for name, heard in partitions[0].items():
        others = [each[name] for each in partitions[1:] if name in each]
        if len(others) + 1 == len(partitions):
            last_ms, slots = min(each.last_ms for each in (heard, *others)), -1
            for each in (heard, *others):
                slots &= each.slots >> min(each.last_ms // SLOT_MS - last_ms // SLOT_MS, SLOTS)
            found[name] = Heard(last_ms, slots)
    return found
