"""Each host: where its list of servers is, how an entry looks there, and what it does to a server's environment.

No entry sets a time limit. A call of ours ends within 45 seconds, and no host is known to cut one sooner than at 60:
Codex does at 60 (`tool_timeout_sec`), Gemini CLI at 600 (`timeout`), Claude Code after hours (`MCP_TOOL_TIMEOUT`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides where a host keeps its files. `platform` is Python's `sys.platform`."""

    platform: str
    home: Path
    environ: Mapping[str, str]

    def named(self, variable: str, otherwise: Path) -> Path:
        """The directory that a variable names."""
        value = self.environ.get(variable)
        return Path(value) if value else otherwise

    @property
    def applications(self) -> Path:
        """Where desktop programs keep what a person configured."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return self.named("APPDATA", self.home / "AppData" / "Roaming")
        return self.named("XDG_CONFIG_HOME", self.home / ".config")


class Syntax(Enum):
    """How a host's file is written."""

    JSON = "json"
    TOML = "toml"


class Environment(Enum):
    """What a server sees of the environment that its host was started with."""

    ALL = "all"
    # Nothing but a short list; more by name.
    BY_NAME = "by name"
    # Nothing but a short list, or nobody says.
    LITTLE = "little"


@dataclass(frozen=True, slots=True)
class Host:
    """One assistant.

    `key` is the member of its file that holds the servers. `typed` entries say that they are stdio servers. What
    `replaces` finds in a value is not taken literally by the host. `own_command` is the host's program that edits the
    file, where that is the documented way. `then` is what makes the host read its file again.
    """

    name: str
    title: str
    file: Callable[[Machine], Path]
    key: str = "mcpServers"
    syntax: Syntax = Syntax.JSON
    typed: bool = False
    environment: Environment = Environment.LITTLE
    replaces: re.Pattern[str] | None = None
    own_command: str | None = None
    then: str = ""


_BRACES: Final = re.compile(r"\$\{")


def _claude_desktop(machine: Machine) -> Path:
    """As its documentation has it; on Windows the packaged program sees a directory of its own in place of APPDATA."""
    name = "claude_desktop_config.json"
    if machine.platform == "win32":
        packages = machine.named("LOCALAPPDATA", machine.home / "AppData" / "Local") / "Packages"
        for packaged in sorted(packages.glob("Claude_*/LocalCache/Roaming")):
            return packaged / "Claude" / name
    return machine.applications / "Claude" / name


def _claude_code(machine: Machine) -> Path:
    return machine.named("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"


def _gemini_cli(machine: Machine) -> Path:
    return machine.named("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json"


HOSTS: Final[Mapping[str, Host]] = {
    host.name: host
    for host in (
        # modelcontextprotocol.io/docs/develop/connect-local-servers. Started with the few variables that the
        # SDK's stdio client passes on (`getDefaultEnvironment`).
        Host(
            "claude-desktop",
            "Claude Desktop",
            _claude_desktop,
            then="Quit Claude Desktop and start it again.",
        ),
        # code.claude.com/docs/en/mcp: user scope is `mcpServers` in ~/.claude.json, written by `claude mcp add-json`.
        # The file also holds what the program itself remembers, and a running one writes it over.
        Host(
            "claude-code",
            "Claude Code",
            _claude_code,
            typed=True,
            replaces=_BRACES,
            own_command="claude",
            then="Sessions that run already see it when they are started again.",
        ),
        # code.visualstudio.com/docs/copilot/reference/mcp-configuration: `mcp.json` of the user profile, JSON with
        # comments. The server gets the whole environment of the editor (`extHostMcpNode.ts`).
        Host(
            "vscode",
            "VS Code",
            lambda machine: machine.applications / "Code" / "User" / "mcp.json",
            key="servers",
            typed=True,
            environment=Environment.ALL,
            replaces=_BRACES,
            then="VS Code asks whether you trust the server when it first starts it.",
        ),
        # cursor.com/docs/mcp
        Host(
            "cursor",
            "Cursor",
            lambda machine: machine.home / ".cursor" / "mcp.json",
            typed=True,
            replaces=_BRACES,
            then="Start Cursor again, and see that the server is switched on in its settings.",
        ),
        # developers.openai.com/codex/mcp. A short list of variables and those that `env_vars` names.
        Host(
            "codex",
            "Codex",
            lambda machine: machine.named("CODEX_HOME", machine.home / ".codex") / "config.toml",
            key="mcp_servers",
            syntax=Syntax.TOML,
            environment=Environment.BY_NAME,
            then="Sessions that run already see it when they are started again.",
        ),
        # geminicli.com/docs/tools/mcp-server. It may hide variables whose name looks secret, XAUTHORITY among them.
        Host(
            "gemini-cli",
            "Gemini CLI",
            _gemini_cli,
            replaces=re.compile(r"\$"),
            then="Sessions that run already see it when they are started again. It starts in folders that you trust.",
        ),
    )
}
