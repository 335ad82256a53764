"""The page of a demo: a link that signs in with one click, and a browser that opens it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

from pulse import keyring
from pulse.config.kafka_clients import for_aiokafka
from pulse.web import tokens
from pulse.web.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.config import Config


def link_to_page(config: Config, page_url: str) -> str:
    """A link that opens the page signed in, by a token of its own that is gone with the broker.

    The token stands behind the `#`, which browsers tell to no server.
    """
    # A browser has the link among its arguments, which other users of the machine can read: so it
    # opens nothing that only an admin may do.
    token, kept = tokens.make("demo", Role.member)
    topic, settings = config.kafka.topics.tokens, for_aiokafka(config.kafka)
    asyncio.run(keyring.write(settings, topic, keyring.hash_of(token), kept))
    return f"{page_url}/sign-in#{token}"


def has_person() -> bool:
    """Whether somebody looks on: at a terminal, and not in continuous integration."""
    return sys.stdout.isatty() and not os.environ.get("CI")


def has_browser(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether a browser would open in a window of its own, and not in the terminal.

    >>> has_browser({}, "linux"), has_browser({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    (False, True)
    """
    shows = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return platform in ("darwin", "win32") or any(environ.get(name) for name in shows)


def open_browser(link: str) -> None:
    """Open a link, without waiting: some browsers come back when they are closed."""
    threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
