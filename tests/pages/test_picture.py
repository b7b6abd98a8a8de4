"""The README's picture of the approval page shows the page as it is now."""

import base64
from typing import Final

import pytest
from playwright.async_api import Page

from tests.screenshots.document import PICTURE, open_page, words_of
from tests.screenshots.palette import text_in, with_palette

from .room import Room

pytestmark = pytest.mark.anyio

# In bytes: a README's picture is loaded with every view of the project.
LARGEST: Final = 120_000
# The greatest difference of a channel between two pictures, as a browser decodes them; -1 where their sizes differ.
DIFFERENCE: Final = """async pictures => {
    const [one, other] = await Promise.all(pictures.map(async data => {
        const image = new Image()
        image.src = `data:image/png;base64,${data}`
        await image.decode()
        const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d')
        canvas.drawImage(image, 0, 0)
        return canvas.getImageData(0, 0, image.width, image.height).data
    }))
    if (one.length !== other.length) return -1
    return one.reduce((most, byte, place) => Math.max(most, Math.abs(byte - other[place])), 0)
}"""


async def test_the_picture_in_the_readme_shows_the_words_that_the_page_has_now(room: Room, window: Page) -> None:
    await open_page(room, window)
    picture = PICTURE.read_bytes()
    assert text_in(picture) == await words_of(window), "run `python -m tests.screenshots.document`"
    assert len(picture) < LARGEST


async def test_a_picture_with_a_palette_looks_like_the_one_that_it_was_made_of(window: Page) -> None:
    await window.set_viewport_size({"width": 300, "height": 150})
    await window.set_content("<body style='background: #f6f5f1'><h1>Total</h1><p style='color: #14613a'>$102.02</p>")
    taken = await window.screenshot()
    small = with_palette(taken, "Total: $102.02 \N{EURO SIGN}")
    assert text_in(small) == "Total: $102.02 \N{EURO SIGN}"
    assert len(small) < len(taken)
    pictures = [base64.b64encode(picture).decode() for picture in (taken, small)]
    assert 0 <= await window.evaluate(DIFFERENCE, pictures) < 8
