"""The receiver kind `apprise`: the hundred services that the library of that name knows.

It connects by itself: pulse can check no address, follows whatever redirects the library follows,
and learns only whether it went well. So the configuration has to say `allow_unchecked: true`. Its
addresses are secrets, all of them.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pulse.errors import PulseError
from pulse.notifier.messages.facts import facts_of
from pulse.notifier.messages.templates import Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseOptions:
    """The service's address as the library has it, like `ntfy://…`."""

    url: str = field(repr=False)
    templates: Templates


class Apprise:
    """Hands messages to the library. Raises `PulseError` where it is not installed, or where it
    does not know the address.
    """

    def __init__(self, settings: ReceiverSettings, options: AppriseOptions) -> None:
        self._settings = settings
        self._templates = options.templates
        try:
            import apprise
        except ImportError:
            raise PulseError(
                f'receiver "{settings.name}": the library apprise is not installed',
                hint="pip install 'pulse-engagement[apprise]'",
            ) from None
        # It logs the addresses that it is given where it does not know them.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        # Threads of its own: a service that hangs would fill those that the library shares among
        # all services, to which it hands what has a time-out of its or may run at once.
        asset = apprise.AppriseAsset(
            app_id="pulse",
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            async_mode=False,
            service_timeout=0,
        )
        self._threads = ThreadPoolExecutor(settings.concurrency, f"apprise {settings.name}")
        self._service: Any = apprise.Apprise(asset=asset)
        if not self._service.add(options.url):
            raise PulseError(
                f'receiver "{settings.name}": apprise does not know what its address names',
                hint="see https://github.com/caronc/apprise/wiki for how they are written",
            )

    async def send(self, notification: Notification, attempt: Attempt) -> Outcome:
        facts = facts_of(notification, self._settings.timezone)
        message = self._templates.render(facts)
        parts = [*message.alerts, message.footer]
        notify = partial(
            self._service.notify,
            title=message.title,
            body="\n\n".join(each for each in parts if each),
            body_format="text",
            notify_type=_type(notification),
        )
        try:
            # What no thread has begun by then is never sent; what one has begun may still arrive.
            async with asyncio.timeout(self._settings.timeout_s):
                loop = asyncio.get_running_loop()
                went_well = await loop.run_in_executor(self._threads, notify)
        except TimeoutError:
            return Outcome(Verdict.RETRY, "timeout")
        if went_well:
            return Outcome(Verdict.DELIVERED, "ok")
        return Outcome(Verdict.RETRY, "apprise", detail="apprise says only that it failed")

    async def close(self) -> None:
        """Begin nothing more; what hangs ends by the library's own time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _type(notification: Notification) -> str:
    if not notification.is_firing:
        return "success"
    return {"critical": "failure", "warning": "warning"}.get(notification.alert.severity, "info")
