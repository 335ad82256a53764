"""Who leads is not stood still by the collector of garbage."""

import gc
from typing import Literal

_OLDEST = 2


class Garbage:
    """While it spares, what a full collection has left is not looked at again.

    A full collection looks at all that is there, and everything stands still meanwhile: of two
    hundred thousand alerts a second and more, again and again while they are read back. They are in
    no cycles. What becomes a cycle later, a connection perhaps, is kept until nothing is spared any
    more.
    """

    def spare(self) -> None:
        """From now on; called again it changes nothing."""
        if self._collected not in gc.callbacks:
            gc.callbacks.append(self._collected)

    def spare_nothing(self) -> None:
        """Everything is looked at again."""
        if self._collected in gc.callbacks:
            gc.callbacks.remove(self._collected)
            gc.unfreeze()

    def _collected(self, phase: Literal["start", "stop"], info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == _OLDEST:
            gc.freeze()
