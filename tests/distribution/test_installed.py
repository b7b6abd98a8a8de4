"""The wheel alone buys something: in an environment of its own, from a folder where nothing of this tree is."""

import json
import subprocess
from pathlib import Path

import firmly_mcp
from tests.raw_server import environment


def run(programs: Path, home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = environment(home, bus="unix:path=/nonexistent/bus")
    return subprocess.run(
        [str(programs / command[0]), *command[1:]],
        capture_output=True, text=True, env=variables, cwd=home, timeout=120, check=False,
    )  # fmt: skip


def test_the_installed_command_says_its_version(programs: Path, tmp_path: Path) -> None:
    shown = run(programs, tmp_path, "firmly-mcp", "--version")
    assert shown.stdout.split()[-1] == firmly_mcp.__version__


def test_what_is_imported_is_what_was_installed(programs: Path, tmp_path: Path) -> None:
    program = (
        "import firmly_mcp; from firmly_mcp.server.prompts import read_prompts;"
        "print(firmly_mcp.__file__, *(prompt.name for prompt in read_prompts()))"
    )
    where, *names = run(programs, tmp_path, "python", "-c", program).stdout.split()
    assert Path(where).is_relative_to(programs.parent)
    assert "checkout" in names


def test_the_installed_package_has_its_bytecode(programs: Path, tmp_path: Path) -> None:
    """Without it every start of a server would take over a second longer."""
    (package,) = programs.parent.rglob("firmly_mcp/__init__.py")
    folders = {path.parent for path in package.parent.rglob("*.py")}
    assert {folder for folder in folders if not any((folder / "__pycache__").glob("*.pyc"))} == set()


def test_the_installed_command_buys_something_on_the_simulator(programs: Path, tmp_path: Path) -> None:
    shown = run(programs, tmp_path, "firmly-mcp", "demo", "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    verdict = json.loads(shown.stdout.splitlines()[-1])
    assert (verdict["event"], verdict["agree"], verdict["total"]) == ("verdict", True, "53.40 USD")
