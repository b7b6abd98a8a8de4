"""Claude Code's list of servers, changed by its own command: a running Claude Code writes its file over at any time.

`claude mcp add-json` refuses a name that is there (seen with 2.1.197), so an entry is removed before it is set anew.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Final

from firmly_mcp.errors import SettingsError

from .changes import Change, entry_there
from .files import changed
from .known import Machine

_SECONDS: Final = 60.0


def commands(change: Change) -> list[list[str]]:
    """The host's own commands that make this change; none where it has none, or it is not on the PATH."""
    program = shutil.which(change.host.own_command) if change.host.own_command else None
    if program is None or change.is_none:
        return []
    scope = ["--scope", "user", change.name]
    remove = [[program, "mcp", "remove", *scope]] if change.old is not None else []
    told = json.dumps(change.new, ensure_ascii=False)
    add = [[program, "mcp", "add-json", *scope, told]] if change.new is not None else []
    return remove + add


def run(change: Change, machine: Machine) -> None:
    """Run the host's own commands, and see that they did it.

    Raises:
        SettingsError: the entry is not what was shown any more, a command failed, or did something else.
    """
    if entry_there(change.host, machine, change.name) != change.old:
        raise changed(change.found.path)
    for command in commands(change):
        _run(command)
    if entry_there(change.host, machine, change.name) != change.new:
        raise SettingsError(
            f"`{change.host.own_command} mcp` ran, and {change.found.path} does not say what it should."
        )


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the host's own program, found on the PATH and shown before
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SettingsError(f"`{' '.join(command[:3])}` did not run ({type(error).__name__}).") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise SettingsError(f"`{' '.join(command[:3])}` failed: {said[-1] if said else f'exit code {done.returncode}'}")
