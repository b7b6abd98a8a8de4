from pathlib import Path

import click
import pytest

from firmly_mcp.cli.install import install, uninstall
from firmly_mcp.install.clients import CLIENTS, Machine

HOME = Path("/home/ana")
FILES = {
    "linux": {
        "claude-desktop": ".config/Claude/claude_desktop_config.json",
        "claude-code": ".claude.json",
        "vscode": ".config/Code/User/mcp.json",
        "cursor": ".cursor/mcp.json",
        "codex": ".codex/config.toml",
        "gemini-cli": ".gemini/settings.json",
    },
    "darwin": {
        "claude-desktop": "Library/Application Support/Claude/claude_desktop_config.json",
        "vscode": "Library/Application Support/Code/User/mcp.json",
    },
    "win32": {
        "claude-desktop": "AppData/Roaming/Claude/claude_desktop_config.json",
        "vscode": "AppData/Roaming/Code/User/mcp.json",
        "cursor": ".cursor/mcp.json",
    },
}


def test_the_command_offers_every_host_that_is_known() -> None:
    for command in (install, uninstall):
        (client,) = (parameter.type for parameter in command.params if parameter.name == "client")
        assert isinstance(client, click.Choice)
        assert tuple(client.choices) == tuple(CLIENTS)


@pytest.mark.parametrize(("platform", "host"), [(platform, host) for platform in FILES for host in FILES[platform]])
def test_each_host_keeps_its_file_where_its_documentation_says(platform: str, host: str) -> None:
    assert CLIENTS[host].file(Machine(platform, HOME, {})) == HOME / FILES[platform][host]


@pytest.mark.parametrize(
    ("host", "variable", "file"),
    [
        ("codex", "CODEX_HOME", "/x/config.toml"),
        ("claude-code", "CLAUDE_CONFIG_DIR", "/x/.claude.json"),
        ("gemini-cli", "GEMINI_CLI_HOME", "/x/.gemini/settings.json"),
        ("vscode", "XDG_CONFIG_HOME", "/x/Code/User/mcp.json"),
    ],
)
def test_a_variable_of_the_host_moves_its_file(host: str, variable: str, file: str) -> None:
    assert CLIENTS[host].file(Machine("linux", HOME, {variable: "/x"})) == Path(file)


def test_the_packaged_claude_desktop_of_windows_has_a_directory_of_its_own(tmp_path: Path) -> None:
    packaged = tmp_path / "Packages" / "Claude_abc" / "LocalCache" / "Roaming"
    packaged.mkdir(parents=True)
    machine = Machine("win32", tmp_path, {"LOCALAPPDATA": str(tmp_path), "APPDATA": str(tmp_path / "Roaming")})
    assert CLIENTS["claude-desktop"].file(machine) == packaged / "Claude" / "claude_desktop_config.json"
