"""A file of somebody else's: read as it is, and replaced whole or not at all, only if it is still what was read.

A link stays a link, the mode stays the mode. What is marked read-only is left alone, also where we could write it.
"""

from __future__ import annotations

import codecs
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from firmly_mcp.errors import SettingsError

# A program's configuration; a file beyond this is something else.
_MOST_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """What a file held when it was read. `raw` is None where there was no file. `path` has no links."""

    path: Path
    raw: bytes | None

    @property
    def text(self) -> str:
        """The text, without the byte order mark that it may begin with.

        Raises:
            SettingsError: it is no UTF-8.
        """
        try:
            return (self.raw or b"").removeprefix(codecs.BOM_UTF8).decode()
        except UnicodeDecodeError as error:
            line = (self.raw or b"").count(b"\n", 0, error.start) + 1
            raise SettingsError(f"{self.path} is no UTF-8 text (line {line}). Nothing was written.") from None

    def encoded(self, text: str) -> bytes:
        """The text as this file has it, with its byte order mark."""
        return (codecs.BOM_UTF8 if (self.raw or b"").startswith(codecs.BOM_UTF8) else b"") + text.encode()


def find(path: Path) -> Found:
    """What a file holds now.

    Raises:
        SettingsError: it cannot be read, or is no plain file.
    """
    with _told("read", path):
        real = Path(os.path.realpath(path))
        if not os.path.lexists(real):
            return Found(real, None)
        if not real.is_file() or real.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{path} is no configuration file. Nothing was written.")
        return Found(real, real.read_bytes())


def missing_directories(found: Found) -> list[Path]:
    """The directories that have to be made for this file, outermost first."""
    return [each for each in found.path.parents if not each.exists()][::-1]


def replace(found: Found, raw: bytes) -> None:
    """Write a file anew.

    Raises:
        SettingsError: it changed since it was read, is read-only, or cannot be written. It is as it was.
    """
    _refuse_changed(found)
    with _told("written", found.path):
        found.path.parent.mkdir(parents=True, exist_ok=True)
        before = found.path.stat() if found.raw is not None else None
        if before is not None and not before.st_mode & stat.S_IWUSR:
            raise SettingsError(f"{found.path} is read-only, so it was left alone. Make it writable, and try again.")
        descriptor, name = tempfile.mkstemp(prefix=f".{found.path.name}.", dir=found.path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            if before is not None:
                _make_alike(temporary, before)
            _refuse_changed(found)
            temporary.replace(found.path)
        finally:
            temporary.unlink(missing_ok=True)


def remove(found: Found, directories: Sequence[Path]) -> None:
    """Remove a file that we made, and those of these directories that are empty then.

    Raises:
        SettingsError: it changed since it was read, or cannot be removed.
    """
    _refuse_changed(found)
    with _told("removed", found.path):
        found.path.unlink()
    for directory in reversed(directories):
        with suppress(OSError):
            directory.rmdir()


def changed(path: Path) -> SettingsError:
    """The refusal to write over what nobody has seen."""
    return SettingsError(
        f"{path} changed since it was shown, so nothing was written. Run the command again to see it anew."
    )


def _refuse_changed(found: Found) -> None:
    if find(found.path).raw != found.raw:
        raise changed(found.path)


def _make_alike(file: Path, before: os.stat_result) -> None:
    if hasattr(os, "chown") and (before.st_uid, before.st_gid) != (file.stat().st_uid, file.stat().st_gid):
        os.chown(file, before.st_uid, before.st_gid)
    file.chmod(stat.S_IMODE(before.st_mode))


@contextmanager
def _told(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise SettingsError(f"{path} cannot be {what} ({reason}). It is as it was.") from None
