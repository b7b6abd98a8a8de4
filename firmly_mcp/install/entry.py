"""The command and the environment with which a client starts this very firmly-mcp: this version, these settings.

The command is a full path, because clients start programs with a short `PATH`. Settings of this shell are written out,
because a client is not started from it; none of them is a secret.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from firmly_mcp import __version__
from firmly_mcp.errors import SettingsError
from firmly_mcp.settings import CONFIG_VARIABLE, VARIABLES
from firmly_mcp.settings_files import whole_path

from .clients import Client

# The keyring is on the session's bus, and the pages open on its display.
BUS: Final = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
DISPLAY: Final = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")
# Where settings and the journal are looked for.
DIRECTORIES: Final = ("XDG_CONFIG_HOME", "XDG_DATA_HOME")
# Where `pipx run` makes an environment for a few days: Linux, macOS, and below PIPX_HOME.
_PIPX_CACHES: Final = ((".cache", "pipx"), ("Caches", "pipx"), ("pipx", ".cache"))
_PATHS: Final = (CONFIG_VARIABLE, VARIABLES["data_dir"], VARIABLES["rules_file"])


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its arguments."""

    command: str
    arguments: tuple[str, ...]


def this_program() -> Program:
    """Return what starts the firmly-mcp that runs now.

    Raises:
        SettingsError: it runs from a place that may be cleared at any time.
    """
    prefix = Path(sys.prefix)
    # uv tags its cache, where `uvx` makes an environment for one run.
    if any(
        each.name.startswith(("archive-v", "environments-v")) and (each.parent / "CACHEDIR.TAG").exists()
        for each in prefix.parents
    ):
        return _uvx_program()
    if prefix.parent.parts[-2:] in _PIPX_CACHES:
        raise SettingsError(
            "This firmly-mcp runs from pipx's cache, which is cleared. Run `pipx install` with what you gave to "
            "`pipx run`, then `firmly-mcp install`."
        )
    script = Path(sys.executable).with_name("firmly-mcp.exe" if os.name == "nt" else "firmly-mcp")
    return (
        Program(str(script), ("serve",)) if script.exists() else Program(sys.executable, ("-m", "firmly_mcp", "serve"))
    )


def entry_for(client: Client, program: Program, environ: Mapping[str, str], platform: str) -> dict[str, Any]:
    """Return the entry of this client's list, with nothing more than the client needs.

    Raises:
        SettingsError: a value holds what the client would replace, or is not text.
    """
    entry: dict[str, Any] = {"type": "stdio"} if client.typed else {}
    entry |= {"command": program.command, "args": list(program.arguments)}
    env = {name: environ[name] for name in (CONFIG_VARIABLE, *VARIABLES.values(), *DIRECTORIES) if environ.get(name)}
    # A client has another working directory.
    env |= {name: str(whole_path(env[name], setting=name)) for name in _PATHS if name in env}
    if client.environment == "short" and platform == "linux":
        # A display that came by ssh goes with the connection.
        session = BUS if environ.get("SSH_CONNECTION") else (*BUS, *DISPLAY)
        env |= {name: environ[name] for name in session if environ.get(name)}
    if env:
        entry["env"] = env
    if client.environment == "named" and platform == "linux":
        entry["env_vars"] = [*BUS, *DISPLAY]
    for value in (entry["command"], *entry["args"], *env.values()):
        _refuse_altered(client, value)
    return entry


def _refuse_altered(client: Client, value: str) -> None:
    if client.replaces is not None and client.replaces.search(value):
        raise SettingsError(
            f"{client.title} replaces what follows a $ in its configuration, so it cannot hold {value!r}. "
            "Choose a path or a value without one."
        )
    # A path that is not text (POSIX allows any bytes) cannot stand in a text file.
    if any("\ud800" <= each <= "\udfff" for each in value):
        raise SettingsError(f"{value!r} is not text that a file can hold. Choose another path or value.")


def _uvx_program() -> Program:
    """Return `uvx` with this version, as its cache may be cleared."""
    try:
        origin = distribution("firmly-mcp").read_text("direct_url.json")  # PEP 610: a file or a repository, no index
        from_index = not (origin and json.loads(origin))
    except PackageNotFoundError:
        from_index = False
    if not from_index:
        raise SettingsError(
            "This firmly-mcp runs from uv's cache and did not come from a package index, so no command can start it "
            "later. Run `uv tool install` with what you gave to `--from`, then `firmly-mcp install`."
        )
    # `UV` is the uv that started this; its uvx is in the same directory.
    sibling = Path(os.environ.get("UV") or "uv").with_name("uvx.exe" if os.name == "nt" else "uvx")
    uvx = shutil.which("uvx") or (str(sibling) if os.environ.get("UV") and sibling.exists() else None)
    if uvx is None:
        raise SettingsError("uvx is not on the PATH. Put it there, or run `uv tool install firmly-mcp` first.")
    return Program(uvx, (f"firmly-mcp=={__version__}", "serve"))
