"""The files that settings name: each path means one file in every folder, and one that is named has to be there.

A guard that a person configured is never silently absent: `~` is expanded, a relative path counts from the folder of
the file that names it, and a variable that looks like one of ours and is none is an error like an unknown key.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from .errors import SettingsError

PREFIX: Final = "FIRMLY_MCP_"
_SEPARATORS: Final = tuple(filter(None, (os.sep, os.altsep)))


def whole_path(written: str, *, setting: str, folder: Path | None = None) -> Path:
    """The absolute path that a setting means. Relative ones count from `folder`; without one, from where we run.

    Raises:
        SettingsError: it is no path, or the home that it names is not known.
    """
    if not written.strip() or "\0" in written:
        raise SettingsError(f"{setting}: is empty or no path. Name a file, or leave the setting out.")
    try:
        path = Path(written).expanduser()
    except RuntimeError:
        raise SettingsError(f"{setting}: the home folder that {written} begins with is not known.") from None
    try:
        return (folder / path if folder else path).absolute()
    except OSError:
        raise SettingsError(f"{setting}: {written} is relative, and the folder it counts from is gone.") from None


def whole_program(program: str, *, setting: str, folder: Path) -> str:
    """A command's program: a path as `whole_path` has it; a bare name is looked for on the PATH when it runs."""
    is_path = program.startswith("~") or any(separator in program for separator in _SEPARATORS)
    return str(whole_path(program, setting=setting, folder=folder)) if is_path else program


def written_text(path: Path, *, named_by: str | None, consequence: str) -> str | None:
    """The text of a file, without a byte order mark; None where nothing names the file and it is missing.

    `named_by` is the setting that names it; `consequence` ends each message.

    Raises:
        SettingsError: it is named and missing, or it cannot be read.
    """
    try:
        return path.read_text("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        if named_by is None and not _leads_nowhere(path):
            return None
        named = f"{named_by} names {path}" if named_by else f"{path} is a link"
        hint = " Variables such as $HOME are not expanded; ~ is." if "$" in str(path) else ""
        missing = f"{named}, which does not exist." if named_by else f"{named} to a file that does not exist."
        raise SettingsError(f"{missing}{hint} {consequence}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} cannot be read: it is not UTF-8 text. {consequence}") from None
    except (OSError, ValueError) as error:
        why = "it is a folder" if isinstance(error, IsADirectoryError) else type(error).__name__
        raise SettingsError(f"{path} cannot be read: {why}. {consequence}") from None


def is_there(path: Path) -> bool:
    """Whether a file, or a link to a missing one, is at this path; reading it finds out what is wrong with it."""
    try:
        return path.exists() or path.is_symlink()
    except OSError:
        return True


def unknown_variables(environ: Mapping[str, str], known: Mapping[str, str], fields: Collection[str]) -> list[str]:
    """What is wrong with each variable that begins as ours do and is none; `known` has the variable of each setting."""
    ours = {*known.values()}
    found = sorted(name for name, value in environ.items() if value and name.upper().startswith(PREFIX))
    return [f"{name} is no setting{_meant(name, known, fields)}" for name in found if name not in ours]


def _meant(name: str, known: Mapping[str, str], fields: Collection[str]) -> str:
    setting = name.upper().removeprefix(PREFIX).lower()
    if setting in fields and setting not in known:
        return f": {setting} stands in config.toml alone"
    names = {variable.removeprefix(PREFIX).lower(): variable for variable in known.values()} | dict(known)
    nearest = difflib.get_close_matches(setting, list(names), n=1)
    return f" (did you mean {names[nearest[0]]}?)" if nearest else "; docs/reference.md, Settings, lists them"


def _leads_nowhere(path: Path) -> bool:
    """Whether the path is a link, and what it leads to is gone."""
    return any(place.is_symlink() and not place.exists() for place in (path, path.parent))
