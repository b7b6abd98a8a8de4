"""The directory where the journal, the locks and the simulator's books live: made for this user alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .errors import SettingsError


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
