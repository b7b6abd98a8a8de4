"""Each MCP client: where its list of servers is, how an entry looks there, and what it does to a server's environment.

No entry sets a time limit. A call of ours ends within 45 seconds, and no client is known to cut one sooner than at 60:
Codex does at 60 (`tool_timeout_sec`), Gemini CLI at 600 (`timeout`), Claude Code after hours (`MCP_TOOL_TIMEOUT`).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

Entry = Mapping[str, Any]
Commands = list[list[str]]


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides where a client keeps its files. `platform` is Python's `sys.platform`."""

    platform: str
    home: Path
    environ: Mapping[str, str]

    def directory(self, variable: str, default: Path) -> Path:
        """Return the directory that a variable names."""
        return Path(self.environ.get(variable) or default)

    @property
    def applications(self) -> Path:
        """Where desktop programs keep what a person configured."""
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        if self.platform == "win32":
            return self.directory("APPDATA", self.home / "AppData" / "Roaming")
        return self.directory("XDG_CONFIG_HOME", self.home / ".config")


@dataclass(frozen=True, slots=True)
class Client:
    """One MCP client.

    `key` is the member of its file that holds the servers. `typed` entries state that they are stdio servers. Servers
    get `environment` of what the client was started with: all, what the entry names, or a short list. What `replaces`
    finds in a value does not stay. `program` edits the file with the `arguments` for a name, an old and a new entry.
    """

    name: str
    title: str
    file: Callable[[Machine], Path]
    key: str = "mcpServers"
    is_toml: bool = False
    typed: bool = False
    environment: Literal["all", "named", "short"] = "short"
    replaces: re.Pattern[str] | None = None
    program: str | None = None
    arguments: Callable[[str, Entry | None, Entry | None], Commands] = lambda *_: []
    then: str = "Sessions that run already see it when they are started again."

    def commands(self, name: str, old: Entry | None, new: Entry | None) -> Commands:
        """Return the client's own commands for a change; none if they cannot make it or are not on the PATH."""
        program = shutil.which(self.program) if self.program and old != new else None
        return [[program, "mcp", *each] for each in self.arguments(name, old, new)] if program else []


def _claude_desktop(machine: Machine) -> Path:
    """On Windows the packaged program sees a directory of its own in place of APPDATA."""
    name = "claude_desktop_config.json"
    if machine.platform == "win32":
        packages = machine.directory("LOCALAPPDATA", machine.home / "AppData" / "Local") / "Packages"
        for packaged in sorted(packages.glob("Claude_*/LocalCache/Roaming")):
            return packaged / "Claude" / name
    return machine.applications / "Claude" / name


def _claude_arguments(name: str, old: Entry | None, new: Entry | None) -> Commands:
    """`add-json` refuses a name that exists, so an entry is removed first (seen with 2.1.197 and 2.1.332)."""
    scope = ["--scope", "user", name]
    add = [["add-json", *scope, json.dumps(new, ensure_ascii=False)]] if new is not None else []
    return ([["remove", *scope]] if old is not None else []) + add


def _gemini_arguments(name: str, _old: Entry | None, new: Entry | None) -> Commands:
    """`add` keeps comments, but writes a whole new entry and cuts a value at its second `=` (seen with 0.61.0)."""
    if new is None:
        return [["remove", "--scope", "user", name]]
    env = new.get("env", {})
    if not new.keys() <= {"command", "args", "env"} or any("=" in str(value) or not value for value in env.values()):
        return []
    variables = [word for variable, value in env.items() for word in ("-e", f"{variable}={value}")]
    return [["add", "--scope", "user", *variables, name, new["command"], *new["args"]]]


_BRACES: Final = re.compile(r"\$\{")

CLIENTS: Final[Mapping[str, Client]] = {
    client.name: client
    for client in (
        # modelcontextprotocol.io/docs/develop/connect-local-servers. Started with the few variables that the
        # SDK's stdio client passes on (`getDefaultEnvironment`).
        Client("claude-desktop", "Claude Desktop", _claude_desktop, then="Quit Claude Desktop and start it again."),
        # code.claude.com/docs/en/mcp: user scope is `mcpServers` in ~/.claude.json, written by `claude mcp add-json`.
        # The file also holds what the program itself remembers, and a running one overwrites it.
        Client(
            "claude-code",
            "Claude Code",
            lambda machine: machine.directory("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json",
            typed=True,
            replaces=_BRACES,
            program="claude",
            arguments=_claude_arguments,
        ),
        # code.visualstudio.com/docs/copilot/reference/mcp-configuration: `mcp.json` of the user profile. The server
        # gets the whole environment of the editor (`extHostMcpNode.ts`). `code --add-mcp` is not used: it drops
        # comments and members that it does not know (`mcpResourceScannerService.ts`), and cannot remove.
        Client(
            "vscode",
            "VS Code",
            lambda machine: machine.applications / "Code" / "User" / "mcp.json",
            key="servers",
            typed=True,
            environment="all",
            replaces=_BRACES,
            then="VS Code asks whether you trust the server when it first starts it.",
        ),
        # cursor.com/docs/mcp
        Client(
            "cursor",
            "Cursor",
            lambda machine: machine.home / ".cursor" / "mcp.json",
            typed=True,
            replaces=_BRACES,
            then="Start Cursor again, and see that the server is switched on in its settings.",
        ),
        # developers.openai.com/codex/mcp. `codex mcp add` is not used: it cannot set `env_vars`, rewrites other
        # servers' tables and drops comments among them (seen with 0.171.0).
        Client(
            "codex",
            "Codex",
            lambda machine: machine.directory("CODEX_HOME", machine.home / ".codex") / "config.toml",
            key="mcp_servers",
            is_toml=True,
            environment="named",
        ),
        # geminicli.com/docs/tools/mcp-server. It may hide variables whose name looks secret, XAUTHORITY among them.
        Client(
            "gemini-cli",
            "Gemini CLI",
            lambda machine: machine.directory("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json",
            replaces=re.compile(r"\$"),
            program="gemini",
            arguments=_gemini_arguments,
            then="Sessions that run already see it when they are started again. It starts in folders that you trust.",
        ),
    )
}
