"""The command and the environment with which a host starts this very firmly-mcp: this version, these settings.

The command is a full path, because hosts start programs with a short `PATH`. Settings of this shell are written out,
because a host is not started from it; none of them is a secret.
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

from .known import Environment, Host

# The keyring is on the session's bus, and the pages open on its display.
BUS: Final = ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
DISPLAY: Final = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY")
# Where settings and the journal are looked for.
DIRECTORIES: Final = ("XDG_CONFIG_HOME", "XDG_DATA_HOME")
# Where `pipx run` makes an environment for a few days: Linux, macOS, and wherever PIPX_HOME is.
_CACHES_OF_PIPX: Final = ((".cache", "pipx"), ("Caches", "pipx"), ("pipx", ".cache"))
_PATHS: Final = (CONFIG_VARIABLE, VARIABLES["data_dir"], VARIABLES["rules_file"])


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its arguments, and the version of ours that it starts."""

    command: str
    arguments: tuple[str, ...]
    version: str = __version__


def this_program() -> Program:
    """What starts the firmly-mcp that runs now.

    Raises:
        SettingsError: it runs from a place that may be cleared at any time.
    """
    prefix = Path(sys.prefix)
    if _is_in_cache_of_uv(prefix):
        return _by_uvx()
    if prefix.parent.parts[-2:] in _CACHES_OF_PIPX:
        raise SettingsError(
            "This firmly-mcp runs from pipx's cache, which is cleared. Run `pipx install` with what you gave to "
            "`pipx run`, then `firmly-mcp install`."
        )
    beside = Path(sys.executable).with_name("firmly-mcp.exe" if os.name == "nt" else "firmly-mcp")
    if beside.exists():
        return Program(str(beside), ("serve",))
    return Program(sys.executable, ("-m", "firmly_mcp", "serve"))


def entry_for(host: Host, program: Program, environ: Mapping[str, str], platform: str) -> dict[str, Any]:
    """The entry of this host's list, with nothing more than the host needs.

    Raises:
        SettingsError: a value holds what the host would replace, or is no text.
    """
    entry: dict[str, Any] = {"type": "stdio"} if host.typed else {}
    entry |= {"command": program.command, "args": list(program.arguments)}
    env = _settings(environ) | _session(host, environ, platform)
    if env:
        entry["env"] = env
    if host.environment is Environment.BY_NAME and platform == "linux":
        entry["env_vars"] = [*BUS, *DISPLAY]
    for value in (entry["command"], *entry["args"], *env.values()):
        _refuse_untellable(host, value)
    return entry


def _settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that are set, paths made absolute: a host has another working directory."""
    names = (CONFIG_VARIABLE, *VARIABLES.values(), *DIRECTORIES)
    said = {name: environ[name] for name in names if environ.get(name)}
    return {name: str(whole_path(value, setting=name)) if name in _PATHS else value for name, value in said.items()}


def _session(host: Host, environ: Mapping[str, str], platform: str) -> dict[str, str]:
    """The variables of the session that the host would drop. A display that came by ssh goes with it."""
    if host.environment is not Environment.LITTLE or platform != "linux":
        return {}
    display = () if environ.get("SSH_CONNECTION") else DISPLAY
    return {name: environ[name] for name in (*BUS, *display) if environ.get(name)}


def _refuse_untellable(host: Host, value: str) -> None:
    if host.replaces is not None and host.replaces.search(value):
        raise SettingsError(
            f"{host.title} replaces what follows a $ in its configuration, so it cannot be told {value!r}. "
            "Choose a path or a value without one."
        )
    # A path that is no text (POSIX allows any bytes) cannot stand in a text file.
    if any("\ud800" <= each <= "\udfff" for each in value):
        raise SettingsError(f"{value!r} is no text that a configuration file can hold. Choose another path or value.")


def _is_in_cache_of_uv(prefix: Path) -> bool:
    """Whether this is an environment that `uvx` made for one run: its cache is tagged as such, and may be cleared."""
    return any(
        parent.name.startswith(("archive-v", "environments-v")) and (parent.parent / "CACHEDIR.TAG").exists()
        for parent in prefix.parents
    )


def _by_uvx() -> Program:
    """The same version by `uvx`, as its cache may be cleared."""
    if _came_from_elsewhere():
        raise SettingsError(
            "This firmly-mcp runs from uv's cache and did not come from a package index, so no command names it for "
            "good. Run `uv tool install` with what you gave to `--from`, then `firmly-mcp install`."
        )
    uvx = shutil.which("uvx") or _beside_uv()
    if uvx is None:
        raise SettingsError("uvx is not on the PATH. Put it there, or run `uv tool install firmly-mcp` first.")
    return Program(uvx, (f"firmly-mcp=={__version__}", "serve"))


def _came_from_elsewhere() -> bool:
    """Whether the package came from a file or a repository (PEP 610) and not from an index."""
    try:
        told = distribution("firmly-mcp").read_text("direct_url.json")
    except PackageNotFoundError:
        return True
    return bool(told and json.loads(told))


def _beside_uv() -> str | None:
    """The uvx beside the uv that says, in `UV`, that it started this."""
    uv = os.environ.get("UV")
    uvx = Path(uv).with_name("uvx.exe" if os.name == "nt" else "uvx") if uv else None
    return str(uvx) if uvx is not None and uvx.exists() else None
