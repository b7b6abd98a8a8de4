"""A real Chromium for the tests, one for all of them; each test has a profile of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

PHONE: Final = {"width": 320, "height": 720}
DESKTOP: Final = {"width": 1280, "height": 900}
# Milliseconds that a page has for what it is waited for.
DEADLINE: Final = 20_000.0
expect.set_options(timeout=DEADLINE)

_FLAGS: Final = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    # A name of somebody else's that leads to this machine, as a hostile name server would make it.
    "--no-first-run --disable-dev-shm-usage --host-resolver-rules=MAP*shop.example*127.0.0.1"
)


def _flags() -> list[str]:
    return [flag.replace("*", " ") for flag in _FLAGS.split()]


def chromium() -> str:
    """The system's browser; a test that needs it is skipped where it is missing, and fails in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "chromium is not installed (Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A browser without a screen."""
    program = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_flags())
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def a_window(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A window of a profile that nobody used."""
    context = await browser.new_context(**{"viewport": DESKTOP, **options})
    context.set_default_timeout(DEADLINE)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def violations(page: Page) -> list[str]:
    """What axe-core finds wrong on the page as it is."""
    results = await Axe().run(page)
    return [
        f"{found['id']}: {node['html'][:120]} {node['failureSummary'][:300]}"
        for found in results.response["violations"]
        for node in found["nodes"]
    ]
