"""One canary card, code and PIN go through the pages; then every byte that was produced is searched for them."""

import logging
from pathlib import Path

import pytest
from playwright.async_api import Page, Response
from pydantic import SecretStr

from firmly_mcp.wallet.memory import TEST_NUMBER
from tests.proofs import BY_PERSON

from .room import Room

pytestmark = pytest.mark.anyio

# Digits that no price, date or id here has in a row; too many for a code, so that the page has to refuse them.
CODE = "8317540962"
PIN = "tulip-canary-4471"
_TYPE_ANYTHING = "(field, typed) => { field.removeAttribute('maxlength'); field.value = typed }"


async def test_what_a_person_types_is_in_no_page_no_log_and_no_file(
    room: Room, window: Page, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await (await room.services.vault()).pin.set(SecretStr(PIN), BY_PERSON)
    bodies: list[bytes] = []

    async def keep(response: Response) -> None:
        if response.status not in range(300, 400):
            bodies.append(await response.body())

    window.on("response", keep)
    await window.goto(await room.link())
    for code, pin in ((CODE, PIN), ("9", PIN), ("739", "wrong-" + PIN), ("739", PIN)):
        await window.get_by_label("Security code of the card").evaluate(_TYPE_ANYTHING, code)
        await window.get_by_label("Approval PIN").fill(pin)
        await window.get_by_role("button", name="Pay ").click()
        await window.wait_for_load_state()
    await window.get_by_role("heading", name="The order is placed").wait_for()
    produced = b"".join(bodies) + (await window.content()).encode() + window.url.encode()
    produced += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    written = capfd.readouterr()
    produced += f"{written.out}{written.err}{caplog.text}".encode()
    assert len(bodies) >= 5
    assert room.charges[0][0].encode() in produced
    for secret in (CODE, PIN, TEST_NUMBER, "4111 1111 1111 1111"):
        assert secret.encode() not in produced
