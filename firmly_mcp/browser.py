"""Opening a page in the person's own browser, where there is one to open.

Never through `webbrowser`: it can run a text browser, which reads the input that the protocol comes through.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import anyio.to_thread

# An opener that fails does so at once; one that still runs has found a browser.
_FAILS_WITHIN: Final = 2.0


async def open_in_browser(url: str) -> bool:
    """Open an address; False where this machine shows nobody anything, or its opener fails."""
    if sys.platform == "win32":
        with suppress(OSError):
            os.startfile(url)  # noqa: S606 - the address is our own
            return True
        return False
    command = opener(os.environ, sys.platform)
    return command is not None and await anyio.to_thread.run_sync(_ran, [*command, url])


def can_open() -> bool:
    """Whether this machine shows its person pages at all."""
    return sys.platform == "win32" or opener(os.environ, sys.platform) is not None


def opener(environ: Mapping[str, str], platform: str) -> Sequence[str] | None:
    """The program that opens an address for the person at this machine; None where nobody would see it."""
    if platform == "darwin":
        return ["/usr/bin/open"]
    path = environ.get("PATH")
    if "WSL_DISTRO_NAME" in environ and (found := shutil.which("wslview", path=path)):
        return [found]
    if (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")) and (found := shutil.which("xdg-open", path=path)):
        return [found]
    return None


def _ran(command: Sequence[str]) -> bool:
    nothing = subprocess.DEVNULL
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and the address is our own
            command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except OSError:
        return False
    try:
        return process.wait(_FAILS_WITHIN) == 0
    except subprocess.TimeoutExpired:
        return True
