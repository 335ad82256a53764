"""The kinds of receivers there are. A new kind is a module with a `Receiver` and a line here."""

from collections.abc import Callable, Mapping
from typing import Final

from pulse.notifier.receiver import Receiver, ReceiverSettings
from pulse.notifier.webhook import Webhook

KINDS: Final[Mapping[str, Callable[[ReceiverSettings], Receiver]]] = {
    "webhook": Webhook,
}


def make_receiver(settings: ReceiverSettings) -> Receiver:
    """The receiver of its kind. Raises `KeyError` for a kind there is not."""
    return KINDS[settings.kind](settings)
