"""A real browser, told what to do as its developers' tools tell it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WITHIN_S = 60


def browser_program() -> str | None:
    """Where a browser is; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """A browser without a window, in a process of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        log = folder / "browser.log"
        with log.open("w") as out:
            self._process = subprocess.Popen(
                [
                    program,
                    "--headless",
                    "--no-sandbox",  # without which it does not run as root, as in containers
                    "--disable-gpu",
                    "--disable-dev-shm-usage",
                    f"--user-data-dir={folder / 'browser'}",
                    "--remote-debugging-port=0",
                    "about:blank",
                ],
                stderr=out,
            )
        port_file = folder / "browser" / "DevToolsActivePort"
        deadline = time.monotonic() + WITHIN_S
        while not (port_file.exists() and port_file.read_text().count("\n")):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        self.tools = f"http://127.0.0.1:{port_file.read_text().split(chr(10))[0]}"

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """Its tab."""
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{self.tools}/json") as tabs:
                (tab,) = [each for each in await tabs.json() if each["type"] == "page"]
            async with session.ws_connect(tab["webSocketDebuggerUrl"]) as socket:
                found = Tab(socket)
                await found.ask("Log.enable")
                yield found


class Tab:
    """A tab of a browser, told what to do as its developers' tools tell it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.said: list[str] = []
        """What the browser complained of: policies, errors."""

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive(WITHIN_S)).data)
            if message.get("method") == "Log.entryAdded":
                self.said.append(message["params"]["entry"]["text"])
            if message.get("id") == self._number:
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found

    async def look(self, expression: str) -> Any:
        """The value of an expression in the page."""
        found = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def open(self, url: str) -> str:
        """Go to a page; its text."""
        await self.ask("Page.navigate", url=url)
        return await self.arrives(url)

    async def submit(self, action: str, **fields: str) -> str:
        """Fill in the form of an action and press its button, as a person does; the next text."""
        form = f"document.querySelector('form[data-action={action}]')"
        for name, value in fields.items():
            if name == "outcome":
                await self.look(f"{form}.querySelector('[value={value}]').click()")
            else:
                await self.look(f"{form}.elements[{name!r}].value = {value!r}")
        before = await self.look("location.href")
        await self.look(f"{form}.querySelector('button').click()")
        return await self.arrives(None, before)

    async def arrives(self, url: str | None, before: str = "") -> str:
        """Wait for a page, or for another one than before; its text."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            where = await self.look("location.href")
            ready = await self.look("document.readyState")
            if ready == "complete" and (where == url if url else where != before):
                return str(await self.look("document.body.innerText"))
        raise AssertionError(f"still at {where}: {await self.look('document.body.innerText')}")
