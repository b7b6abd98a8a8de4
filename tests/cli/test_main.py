import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.raw_server import environment

ROOT = Path(__file__).parents[2]


def run(home: Path, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "firmly_mcp", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(home, **variables),
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def test_help_lists_the_commands(tmp_path: Path) -> None:
    shown = run(tmp_path, "--help")
    assert shown.returncode == 0
    for command in ("serve", "demo", "simulator", "cards", "addresses", "settings"):
        assert command in shown.stdout


def test_a_wrong_setting_is_one_line_on_stderr_and_exit_1(tmp_path: Path) -> None:
    shown = run(tmp_path, "settings", FIRMLY_MCP_ENVIRONMENT="prod")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith("firmly-mcp: FIRMLY_MCP_ENVIRONMENT")
    assert "Traceback" not in shown.stderr


def test_a_wrong_option_is_exit_2(tmp_path: Path) -> None:
    assert run(tmp_path, "cards", "add", "--number", "1").returncode == 2


def test_settings_are_shown_as_json(tmp_path: Path) -> None:
    shown = run(tmp_path, "settings", "--json", FIRMLY_MCP_SHOPPER="ana")
    assert json.loads(shown.stdout)["shopper"] == "ana"


@pytest.mark.parametrize("command", [("cards", "list"), ("cards", "add", "--stdin"), ("addresses", "list")])
def test_without_a_keyring_each_command_says_which_was_found_and_what_to_do(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    card = {"label": "visa", "number": "4111111111111111", "name": "Ana Lima", "month": "12", "year": "2034"}
    shown = run(tmp_path, *command, stdin=json.dumps(card), DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus")
    assert shown.returncode == 1
    assert "Secret Service" in shown.stderr
    assert "4111" not in shown.stdout + shown.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"4111" in path.read_bytes()]


def test_the_simulator_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "firmly_mcp", "simulator", "--data-dir", str(tmp_path / "books")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path), cwd=ROOT
    ) as process:
        assert process.stderr
        lines = [process.stderr.readline() for _ in range(3)]
        assert any("http://127.0.0.1:" in line for line in lines)
        process.terminate()
        out, rest = process.communicate(timeout=30)
    assert out == ""
    assert "Traceback" not in rest
