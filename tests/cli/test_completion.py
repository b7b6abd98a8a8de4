"""Words are completed by real shells, from the script that the command prints; nothing is asked or opened for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.secret_service import DEADLINE, SecretService

from .assistant import Assistant, an_assistant
from .person import an_environment, in_a_script
from .test_orders import sent

BASH = """
source <(firmly-mcp completion bash)
IFS=' ' read -ra COMP_WORDS <<< "$1"
[[ $1 == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_firmly_mcp_completion firmly-mcp
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = 'firmly-mcp completion fish | source; complete --do-complete "$argv[1]" | string split --fields 1 \\t'
# Completion's own words are collected in place of being shown: a line editor needs a terminal.
ZSH = """
compdef() { }
_describe() { local -a found; found=("${(@P)3}"); print -rl -- "${found[@]%%:*}" }
eval "$(firmly-mcp completion zsh)"
words=(${(z)1}); [[ $1 == *' ' ]] && words+=("")
CURRENT=${#words}
compadd() { local -a found; found=("${(@P)@[-1]}"); print -rl -- "${found[@]}" }
_firmly_mcp_completion
"""
SHELLS = {
    "bash": ["bash", "--norc", "-c", BASH, "bash"],
    "zsh": ["zsh", "-f", "-c", ZSH, "zsh"],
    "fish": ["fish", "--no-config", "-c", FISH],
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        reason = f"{name} is not installed (Debian: apt-get install {name})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return name


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A person whose keyring nobody can reach, with the command on their path."""
    program = tmp_path / "bin" / "firmly-mcp"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m firmly_mcp "$@"\n', "utf-8")
    program.chmod(0o755)
    environment = an_environment(None, tmp_path)
    return environment | {"PATH": f"{program.parent}:{environment['PATH']}"}


def completed(shell: str, line: str, environment: dict[str, str]) -> list[str]:
    """What a shell offers where this line was typed."""
    done = subprocess.run(
        [*SHELLS[shell], line], capture_output=True, text=True, env=environment, timeout=DEADLINE, check=False
    )
    assert done.stderr == ""
    return [word for word in done.stdout.split("\n") if word]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("firmly-mcp do", ["doctor"]),
        ("firmly-mcp cards ", ["add", "default", "list", "remove", "unlock"]),
        ("firmly-mcp doctor --", ["--help", "--json", "--offline"]),
        ("firmly-mcp rules explain --tool c", ["complete_order"]),
        ("firmly-mcp cards remove ", []),
    ],
)
def test_a_shell_completes_commands_options_and_choices(
    shell: str, line: str, words: list[str], home: dict[str, str]
) -> None:
    assert sorted(completed(shell, line, home)) == words


def test_attempts_in_doubt_and_open_questions_are_completed_from_the_journal(
    keyring_bus: SecretService, tmp_path: Path, shell: str, home: dict[str, str]
) -> None:
    with an_assistant(tmp_path) as assistant:
        doubt, placed = sent(assistant, 1, "reset-after-body"), sent(assistant, 2)
        question = assistant.asked(quantity=3)
        # The server that runs has the journal open; the keyring is out of reach of whoever completes.
        environment = home | {"FIRMLY_MCP_SHOPPER": assistant.environment["FIRMLY_MCP_SHOPPER"]}
        assert completed(shell, "firmly-mcp orders settle ", environment) == [doubt.id]
        assert completed(shell, f"firmly-mcp orders settle {placed.id}", environment) == []
        assert completed(shell, "firmly-mcp approve ", environment) == [question]
        _expire(assistant)
        assert completed(shell, "firmly-mcp approve ", environment) == []


def _expire(assistant: Assistant) -> None:
    with closing(sqlite3.connect(assistant.settings.data_dir / "journal.sqlite3")) as file, file:
        file.execute("UPDATE approvals SET expires_at = '2020-01-01T00:00:00.000000+00:00'")


@pytest.mark.parametrize(
    "line", ["firmly-mcp orders settle ", "firmly-mcp do", "firmly-mcp cards ", "firmly-mcp rules explain --tool c"]
)
def test_completing_loads_no_mcp_no_keyring_and_no_database_engine(home: dict[str, str], line: str) -> None:
    program = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from firmly_mcp.cli.main import main\n"
        "main()\n"
    )
    words = line.split(" ")
    asked = {"_FIRMLY_MCP_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=home | asked, timeout=DEADLINE, check=True
    )
    late = {"mcp", "sqlalchemy", "keyring", "secretstorage", "httpx2", "rich", "starlette", "firmly_mcp.simulator"}
    assert not late & set(done.stderr.split())


@pytest.mark.parametrize("spoilt", ["config", "journal"])
def test_what_cannot_be_read_completes_to_nothing(home: dict[str, str], tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.sqlite3").write_text("no database" if spoilt == "journal" else "", "utf-8")
    (tmp_path / "config.toml").write_text("[" if spoilt == "config" else "", "utf-8")
    environment = home | {"FIRMLY_MCP_CONFIG": str(tmp_path / "config.toml")}
    assert completed("bash", "firmly-mcp orders settle ", environment) == []


def test_another_shell_is_wrong_usage(home: dict[str, str]) -> None:
    done = in_a_script("completion", "powershell", environment=home)
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
