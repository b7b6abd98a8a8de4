"""The suite's scored server scenarios, against our factory, our door and our transport settings."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from firmly_mcp.app import open_services
from firmly_mcp.server.app import build_server
from firmly_mcp.server.http import BearerAuth, listening_on, serving
from firmly_mcp.settings import Settings
from tests.foreign import node, node_packages

from .contents import mount_contents
from .questions import mount_questions
from .rounds import mount_rounds

HERE: Final = Path(__file__).parent
DEADLINE: Final = 240.0
# How many scored server scenarios each revision has in this version of the suite.
SCENARIOS: Final = {"2025-11-25": 30, "2026-07-28": 37}
NOT_SCORED: Final[dict[str, dict[str, str]]] = tomllib.loads((HERE / "not_scored.toml").read_text("utf-8"))


class KnownDoor(BearerAuth):
    """Our door, for a suite that cannot send a token: it is handed in for it, and all else stays as it is."""

    def __init__(self, app: Any, token: str) -> None:
        super().__init__(app, token)
        self._token = (b"authorization", f"Bearer {token}".encode())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__({**scope, "headers": [*scope["headers"], self._token]}, receive, send)


@asynccontextmanager
async def serving_with_fixtures(folder: Path) -> AsyncIterator[str]:
    """The server with what the suite asks for mounted on it; its address."""
    async with open_services(Settings(data_dir=folder / "data")) as services:
        server = build_server(services)
        for mount in (mount_contents, mount_questions, mount_rounds):
            mount(server)
        with listening_on(0) as bound:
            async with serving(server, bound, partial(KnownDoor, token="suite")) as served:
                yield served.url


async def run_suite(url: str, revision: str, results: Path) -> tuple[int, str]:
    """Run a revision's required scenarios; the exit code and what was printed."""
    program = node_packages(HERE) / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    arguments = ["server", "--url", url, "--requirements", revision, "--output-dir", str(results)]
    suite = await asyncio.create_subprocess_exec(
        node(), str(program), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        printed, _ = await asyncio.wait_for(suite.communicate(), DEADLINE)
    finally:
        if suite.returncode is None:
            suite.kill()
            await suite.wait()
    assert suite.returncode is not None
    return suite.returncode, printed.decode()


def checks_by_scenario(results: Path) -> dict[str, list[dict[str, Any]]]:
    """The checks of each scenario that was run; its folder is `server-NAME-TIME`."""
    found = {}
    for file in results.rglob("checks.json"):
        name = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z", file.parent.name)
        assert name, file
        found[name[1]] = json.loads(file.read_text("utf-8"))
    return found


def failed(checks: list[dict[str, Any]]) -> list[str]:
    return [f"{check['id']}: {check.get('errorMessage')}" for check in checks if check["status"] == "FAILURE"]


# The suite asks for logging and sampling too, which the protocol is about to drop and the SDK warns of.
@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
@pytest.mark.parametrize("revision", SCENARIOS)
@pytest.mark.anyio
async def test_every_scored_scenario_of_the_revision_passes(
    revision: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async with serving_with_fixtures(tmp_path) as url:
        code, printed = await run_suite(url, revision, tmp_path / "results")
    assert code == 0, printed
    found = checks_by_scenario(tmp_path / "results")
    assert {name for name, checks in found.items() if failed(checks)} == set(NOT_SCORED[revision]), printed
    scored = {name: checks for name, checks in found.items() if name not in unscored_in(printed)}
    assert len(scored) == SCENARIOS[revision]
    passed = sum(check["status"] == "SUCCESS" for checks in scored.values() for check in checks)
    record_property("figure", f"conformance {revision}: {len(scored)} scored scenarios pass, {passed} checks")


def unscored_in(printed: str) -> set[str]:
    """The scenarios that the suite says it ran without scoring them."""
    return set(re.findall(r"^  \S (\S+) \((?:extension|added-after-release|pending)\)$", printed, re.MULTILINE))


def test_what_is_not_scored_says_why() -> None:
    assert set(NOT_SCORED) == set(SCENARIOS)
    assert all(reason.endswith(".") for reasons in NOT_SCORED.values() for reason in reasons.values())
