"""`python -m tests.screenshots.document` makes the picture of the approval page that the README shows.

The picture carries the words that were on the page when it was made, so that a test can tell when the page has others.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Final

import anyio
from playwright.async_api import FloatRect, Page
from pydantic import SecretStr

from firmly_mcp.settings import Settings
from tests.pages.browser import a_window, open_browser
from tests.pages.room import CODE, Room, open_room
from tests.pages.scenes import PIN, asking
from tests.proofs import BY_PERSON
from tests.secret_service import private_bus, secret_service

from .palette import with_palette

PICTURE: Final = Path(__file__).parents[2] / "firmly_mcp" / "docs" / "approval.png"
# In CSS pixels: about as wide as a README shows a picture, and wide enough for the page's two columns.
_WIDTH: Final = 1000
_MARGIN: Final = 20
# The hour until which the page waits is another in each picture.
_HOUR: Final = re.compile(r"\b\d{1,2}:\d\d\s[AP]M\b")


async def words_of(window: Page) -> str:
    """Return what a person reads on the page, with no hour in it."""
    shown = f"{await window.locator('.ribbon').inner_text()}\n{await window.locator('main').inner_text()}"
    return _HOUR.sub("12:00 PM", "\n".join(line.strip() for line in shown.splitlines() if line.strip()))


async def open_page(room: Room, window: Page) -> None:
    """Open the page of a cart of two lines, as a person with an approval PIN sees it."""
    await (await room.services.vault()).pin.set(SecretStr(PIN), BY_PERSON)
    await window.set_viewport_size({"width": _WIDTH, "height": _WIDTH})
    await asking(room, window)


async def _screenshot(window: Page) -> bytes:
    """Picture the page down to the end of the form and of the recipient."""
    boxes = [await window.locator(name).bounding_box() for name in (".answer", "[aria-labelledby=delivery-title]")]
    height = max(box["y"] + box["height"] for box in boxes if box is not None) + _MARGIN
    clip = FloatRect(x=0, y=0, width=_WIDTH, height=height)
    return await window.screenshot(full_page=True, clip=clip)


async def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory(prefix="firmly-mcp-") as name:
        rules = Path(name) / "rules.toml"
        rules.touch()
        settings = Settings(environment="simulator", data_dir=Path(name), shopper="picture", rules_file=rules)
        async with open_browser() as browser, open_room(settings) as room, a_window(browser) as window:
            await open_page(room, window)
            words = await words_of(window)
            await window.get_by_label("Security code of the card").fill(CODE)
            await window.get_by_label("Approval PIN").fill(PIN)
            await window.get_by_label("Approval PIN").blur()
            PICTURE.write_bytes(with_palette(await _screenshot(window), words))
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    with private_bus() as bus, secret_service(bus):
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.address
        anyio.run(main)
