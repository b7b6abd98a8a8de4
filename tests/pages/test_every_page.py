"""What every page keeps, in each of its states."""

import pytest
from playwright.async_api import Page

from .browser import DESKTOP, PHONE, violations
from .room import Room
from .scenes import SCENES

pytestmark = pytest.mark.anyio

# In CSS pixels: what a finger hits (WCAG 2.2, 2.5.8 asks for 24).
FINGER = 44


@pytest.mark.parametrize("name", SCENES)
async def test_nobody_is_kept_from_reading_it(room: Room, window: Page, name: str) -> None:
    await SCENES[name](room, window)
    for scheme, viewport in (("light", PHONE), ("dark", DESKTOP)):
        await window.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
        await window.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert await violations(window) == []
        assert await window.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    for button in await window.get_by_role("button").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= FINGER
    assert await window.locator("h1").count() == 1
