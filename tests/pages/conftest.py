from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from firmly_mcp.settings import Settings
from tests.secret_service import SecretService

from .browser import a_window, open_browser
from .room import Room, open_room


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for all of these tests, because they share one browser."""
    return "asyncio"


@pytest.fixture(scope="session")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path, keyring_bus: SecretService) -> Settings:
    (tmp_path / "rules.toml").touch()
    return Settings(
        environment="simulator",
        data_dir=tmp_path / "data",
        shopper=f"t{abs(hash(tmp_path))}",
        rules_file=tmp_path / "rules.toml",
    )


@pytest.fixture
async def room(settings: Settings) -> AsyncIterator[Room]:
    # A test that sets the clock forward is not about a server that nobody asks.
    async with open_room(settings, idle=timedelta(days=1)) as opened:
        yield opened


@pytest.fixture
async def window(browser: Browser) -> AsyncIterator[Page]:
    async with a_window(browser) as opened:
        yield opened
