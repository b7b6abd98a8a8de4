"""What every test shares."""

import pytest
from hypothesis import HealthCheck, settings

from tests.secret_service import keyring_bus, keyring_daemon, no_keyring_of_your_own  # noqa: F401 - fixtures

# What becomes of server processes: signals, closed pipes, garbage, vanished clients, odd environments.
PROCESSES = ("tests/server/test_process.py", "tests/server/test_stdio.py", "tests/server/test_http_process.py")

# No test asserts seconds: a property takes as long as a busy machine needs.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded, so that a whole run shows what it counted."""
    passed = terminalreporter.getreports("passed")
    figures = [str(text) for report in passed for name, text in report.user_properties if name == "figure"]
    processes = sum(report.when == "call" and report.nodeid.startswith(PROCESSES) for report in passed)
    figures += [f"process behaviour: {processes} tests pass"] if processes else []
    if figures:
        terminalreporter.section("figures")
    for figure in sorted(figures):
        terminalreporter.write_line(figure)
