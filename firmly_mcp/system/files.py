"""The directory where the journal, the locks and the simulator's books live: it and its files are this user's alone."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from firmly_mcp.errors import SettingsError


def make_data_dir(path: Path) -> None:
    """Make the directory if it is not there, and see that it can be written.

    Raises:
        SettingsError: it cannot; the message says which it is and how to name another.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            return
    except OSError as error:
        raise SettingsError(
            f"The data directory cannot be written ({type(error).__name__}): {path}. Nothing can be bought without it. "
            "Make it writable, or name another with FIRMLY_MCP_DATA_DIR."
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Write a file of ours anew, whole or not at all, readable for this user alone; its directory is made too.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
