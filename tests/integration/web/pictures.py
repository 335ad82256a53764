"""Takes the pictures of the documentation, of the pages that the tests have: `make pictures`.

    python -m tests.integration.web.pictures [FOLDER]

Writes `today.png` and `account.png`, both with `-dark`, and `today-phone.png`, into
`docs/pictures/`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pulse.errors import PulseError
from pulse.readmodel import ReadModel
from pulse.testing.valkey import ValkeyServer
from pulse.web.tokens import Role
from tests.browsing import DESK, PHONE, browser_program, launched, looking
from tests.integration.web import showroom, year

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from playwright.async_api import Browser

    from pulse.history import History
    from tests.integration.web.webbing import Scene

FOLDER: Final = Path(__file__).parents[3] / "docs" / "pictures"
MOST_BYTES: Final = 200 << 10
SIZE: Final = {**DESK, "height": 860}
_ACCOUNTS: Final = 60
_THEMES: Final[Mapping[Literal["light", "dark"], str]] = {"light": "", "dark": "-dark"}


async def take(to: Path) -> None:
    """Take all of them. Raises `PulseError` where there is no Chromium, or one is too large."""
    program = browser_program()
    if program is None:
        raise PulseError("no Chromium, which shows the pages", hint="`make doctor`")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pulse-pictures-")))
        valkey = stack.enter_context(ValkeyServer(folder / "valkey"))
        browser = await stack.enter_async_context(launched(program))
        for name in ("fleet", "account"):
            (folder / name).mkdir()
        fleet = showroom.fleet(_ACCOUNTS), showroom.remember(folder / "fleet", _ACCOUNTS)
        async with _shown(valkey, "fleet:", *fleet) as scene:
            showroom.raise_alerts(scene, _ACCOUNTS)
            await _photograph(browser, scene, "/", to / "today")
            await _photograph_one(browser, scene, "/", to / "today-phone.png", viewport=PHONE)
        acme = [year.acme()], year.history(folder / "account")
        async with _shown(valkey, "account:", *acme) as scene:
            year.tell(scene)
            await _photograph(browser, scene, "/accounts/acme", to / "account")


@asynccontextmanager
async def _shown(
    valkey: ValkeyServer, prefix: str, documents: Iterable[dict[str, Any]], history: History
) -> AsyncIterator[Scene]:
    """The pages, with these accounts and that history, when the board has them all."""
    async with ReadModel(valkey.url, prefix) as model:
        await model.write(documents)
        async with showroom.serving(model, history) as scene:
            while scene.board is not None and not scene.board.is_filled:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            yield scene


async def _photograph(browser: Browser, scene: Scene, path: str, to: Path) -> None:
    """A page in both themes, as large as a window."""
    for theme, name in _THEMES.items():
        file = to.with_name(f"{to.name}{name}.png")
        await _photograph_one(browser, scene, path, file, viewport=SIZE, color_scheme=theme)


async def _photograph_one(
    browser: Browser, scene: Scene, path: str, file: Path, **settings: Any
) -> None:
    """A page as large as a window; `settings` are those of `looking`."""
    link = f"{scene.origin}/sign-in#{scene.token(Role.viewer, 'kim')}"
    async with looking(browser, locale="en-GB", **settings) as page:
        await page.goto(link)
        await page.wait_for_url(f"{scene.origin}/")
        await page.goto(f"{scene.origin}{path}")
        await page.locator("#live.on").wait_for()
        await page.screenshot(path=file)
    _weigh(file)


def _weigh(file: Path) -> None:
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise PulseError(f"{file} has {size:,} bytes, more than {MOST_BYTES:,}")
    sys.stdout.write(f"{file}  {size:,} bytes\n")


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1]) if sys.argv[1:] else FOLDER))
