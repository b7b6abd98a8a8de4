"""`firmly-mcp doctor` as a person runs it: a line for each thing, a fix for what is wrong, and nothing is changed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import anyio
import anyio.to_thread
import pytest
import secretstorage
from jeepney.io.blocking import open_dbus_connection

from firmly_mcp.doctor.checks import BOUNDARY, CHECKS, Check, examine
from firmly_mcp.doctor.findings import Examined, Finding, failed, ok
from firmly_mcp.simulator import Simulator
from tests.cli.person import at_a_terminal, in_a_script
from tests.secret_service import SecretService
from tests.shop import announce

from .conftest import Person, fill_wallet

CARD = "4111111111111111"


def names(bus: SecretService) -> set[str]:
    """The entries of ours in the keyring."""
    with closing(open_dbus_connection(bus.bus.address)) as connection:
        items = secretstorage.get_default_collection(connection).get_all_items()
        return {item.get_attributes().get("username", "") for item in items}


def test_a_new_installation_is_well_and_looking_at_it_leaves_nothing(
    person: Person, keyring_bus: SecretService
) -> None:
    before = names(keyring_bus)
    answer = person.doctor()
    assert answer.failed == []
    assert answer.code == 0
    assert names(keyring_bus) == before
    assert list(person.home.iterdir()) == [person.home / "rules.toml"]
    assert all(finding.says for finding in answer.findings)
    assert all(bool(finding.fix) is (finding.state in {"warning", "failed"}) for finding in answer.findings)
    assert answer["pin"].state == answer["cards"].state == "warning"
    assert answer["cards"].fix.endswith(" cards add")
    assert answer["boundary"].says == BOUNDARY


def test_what_is_in_use_is_shown_without_a_secret(person: Person) -> None:
    anyio.run(fill_wallet, person.settings)
    answer = person.doctor()
    assert answer.failed == []
    assert answer["keyring"].says.startswith("Secret Service, on the bus unix:path=")
    assert answer["cards"].says.startswith("1: test-visa (until 12/")
    assert answer["addresses"].says == "1: home."
    assert CARD not in answer.text
    assert "Ana" not in answer.text


def test_a_person_a_pipe_and_a_program_read_the_same_lines(person: Person) -> None:
    environment = dict(person.environment)
    piped = in_a_script("doctor", environment=environment)
    rows = [line.split("\t") for line in piped.stdout.splitlines()]
    told = {finding.check: finding for finding in person.doctor().findings}
    assert [row[1] for row in rows] == list(told)
    assert [row[0] for row in rows] == [finding.state for finding in told.values()]
    assert [row[3] for row in rows if row[1] == "pin"] == [f"fix: {told['pin'].fix}"]
    assert piped.stderr == "Nothing fails; 3 to look at.\n"
    assert "\x1b" not in piped.stdout
    with at_a_terminal("doctor", environment=environment) as terminal:
        assert terminal.end() == 0
    assert "✓ keyring" in terminal.lines
    assert "! pin" in terminal.lines
    assert "\x1b[32m" in terminal.screen
    with at_a_terminal("doctor", environment=environment | {"NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}) as terminal:
        assert terminal.end() == 0
    assert "ok keyring" in terminal.lines
    assert "\x1b[32m" not in terminal.screen


def test_settings_that_cannot_be_read_are_one_line_and_the_rest_is_skipped(person: Person) -> None:
    answer = person.with_variables(FIRMLY_MCP_ENVIRONMENT="prod").doctor()
    assert (answer.code, answer.failed) == (1, ["settings"])
    assert answer["settings"].says.startswith("FIRMLY_MCP_ENVIRONMENT")
    assert {finding.state for finding in answer.findings} == {"failed", "skipped", "ok"}


def test_a_simulator_that_runs_is_seen_and_none_is_started(person: Person, anyio_backend: str) -> None:
    assert person.doctor()["simulator"].says.startswith("None runs now")
    folder = person.settings.data_dir / "simulator"
    assert not folder.exists()

    async def while_it_runs() -> str:
        async with Simulator(folder) as simulator:
            announce(folder, simulator)
            answer = await anyio.to_thread.run_sync(person.doctor)
            assert [request.path for request in simulator.requests if "/control" not in request.path] == []
            assert simulator.api_url in answer["simulator"].says
        return answer["simulator"].state

    assert anyio.run(while_it_runs) == "ok"


def test_what_a_command_imports_that_does_not_ask_for_the_doctor_holds_nothing_of_it() -> None:
    program = "import sys, firmly_mcp.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"mcp", "firmly_mcp.doctor", "sqlalchemy", "rich"} & set(loaded.stdout.split())


async def _breaks(_: Examined) -> Sequence[Finding]:
    raise RuntimeError("the disk said something odd")


async def _hangs(_: Examined) -> Sequence[Finding]:
    from firmly_mcp.system.process import in_daemon_thread

    read, write = os.pipe()
    try:
        return await in_daemon_thread(lambda: [ok("hangs", str(os.read(read, 1)))])
    finally:
        os.close(write)  # ends the thread that was left


async def _is_well(_: Examined) -> Sequence[Finding]:
    return [ok("well", "It is.")]


async def _is_wrong(_: Examined) -> Sequence[Finding]:
    return [failed("wrong", "It is.", "Do this.")]


@pytest.mark.anyio
async def test_a_check_that_breaks_or_hangs_is_a_line_and_the_others_go_on(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firmly_mcp.doctor.checks.LIMIT_SECONDS", 0.2)
    checks = [
        Check("breaks", _breaks),
        Check("hangs", _hangs),
        Check("wrong", _is_wrong),
        Check("after", _is_well, needs="wrong"),
        Check("behind", _is_well, needs="hangs"),
        Check("well", _is_well),
    ]
    examined = Examined.of(person.settings, person.environment, _now)
    found = {finding.check: finding for finding in await examine(examined, offline=True, checks=checks)}
    assert found["breaks"].state == "failed"
    assert "RuntimeError" in found["breaks"].says
    assert found["hangs"].state == "failed"
    assert "did not end within 0.2 seconds" in found["hangs"].says
    assert found["after"].state == "skipped"
    assert "wrong" in found["after"].says
    assert found["behind"].state == "skipped"
    assert found["well"].state == "ok"


@pytest.mark.anyio
async def test_checks_run_side_by_side(person: Person) -> None:
    met = anyio.Event()

    async def waits(_: Examined) -> Sequence[Finding]:
        await met.wait()
        return [ok("waits", "It met the other.")]

    async def comes(_: Examined) -> Sequence[Finding]:
        met.set()
        return [ok("comes", "It came.")]

    examined = Examined.of(person.settings, person.environment, _now)
    found = await examine(examined, offline=True, checks=[Check("waits", waits), Check("comes", comes)])
    assert [finding.state for finding in found if finding.check in {"waits", "comes"}] == ["ok", "ok"]


def test_every_check_needs_only_one_that_is_there_and_comes_before_it() -> None:
    seen: list[str] = []
    for check in CHECKS:
        assert check.needs is None or check.needs in seen
        seen.append(check.name)


def _now() -> datetime:
    return datetime.now(UTC)
