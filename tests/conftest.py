"""What every test shares."""

import pytest

from tests.secret_service import keyring_bus, keyring_daemon, no_keyring_of_your_own  # noqa: F401 - fixtures


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
