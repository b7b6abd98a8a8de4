"""The token of the HTTP server: in a file that only this user can read, made once and then kept.

A file that others could have read or put there is refused, not repaired: the token in it may be known.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from firmly_mcp.data_dir import make_data_dir
from firmly_mcp.errors import SettingsError

FILE: Final = "http-token"

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{40,200}")
_BYTES: Final = 32
# A link is not followed; not every system can say so.
_READ: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)


def read_or_make(path: Path) -> str:
    """The token of this file in the data directory; both are made where they are not there.

    Raises:
        SettingsError: the file is another's, readable by others, holds no token, or cannot be made.
    """
    try:
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise SettingsError(f"The token file cannot be used ({type(error).__name__}): {path}.") from None


def _read(path: Path) -> str:
    descriptor = os.open(path, _READ)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        if not _is_ours_alone(os.fstat(descriptor)):
            raise SettingsError(
                f"Others can read or change {path}, so its token may be known. Delete it, and the next start makes a "
                "new one."
            )
        token = file.read(1000).strip()
    if not _TOKEN.fullmatch(token):
        raise SettingsError(f"{path} holds no token. Delete it, and the next start makes a new one.")
    return token


def _make(path: Path) -> None:
    """Write a new token, whole or not at all; if another process is first, its token stays."""
    make_data_dir(path.parent)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(_BYTES)}\n")
        try:
            os.link(fresh, path)
        except FileExistsError:
            return
    finally:
        fresh.unlink()


def _is_ours_alone(found: os.stat_result) -> bool:
    if not stat.S_ISREG(found.st_mode):
        return False
    # Windows has no modes: the user's own directories are closed to others there.
    return os.name == "nt" or (found.st_uid == os.geteuid() and not found.st_mode & 0o077)
