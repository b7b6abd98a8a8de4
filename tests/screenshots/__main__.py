"""`python -m tests.screenshots DIR [SCENE...]` makes a picture of each state of each page, to be looked at.

Every state is pictured on a phone and on a desktop, in light and dark.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
from playwright.async_api import Browser, Page

from firmly_mcp.settings import Settings
from tests.pages.browser import DESKTOP, PHONE, a_window, open_browser
from tests.pages.room import open_room
from tests.pages.scenes import SCENES
from tests.secret_service import private_bus, secret_service


async def main(directory: Path, names: Sequence[str]) -> None:
    """Picture the named scenes, or all."""
    directory.mkdir(parents=True, exist_ok=True)
    async with open_browser() as browser:
        for name in names or SCENES:
            with tempfile.TemporaryDirectory(prefix="firmly-mcp-") as home:
                await _pictured(browser, name, directory, Path(home))
            print(name)


async def _pictured(browser: Browser, name: str, directory: Path, home: Path) -> None:
    (home / "rules.toml").touch()
    settings = Settings(environment="simulator", data_dir=home, shopper=name, rules_file=home / "rules.toml")
    async with open_room(settings) as room, a_window(browser) as window:
        await SCENES[name](room, window)
        await _in_all_lights(window, directory, name)


async def _in_all_lights(window: Page, directory: Path, name: str) -> None:
    for scheme in ("light", "dark"):
        await window.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        for size, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
            await window.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
            await window.screenshot(path=directory / f"{name}-{size}-{scheme}.png", full_page=True)


if __name__ == "__main__":
    with private_bus() as bus, secret_service(bus):
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.address
        anyio.run(main, Path(sys.argv[1]), sys.argv[2:])
