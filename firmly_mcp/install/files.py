"""A client's file: read, and replaced whole or not at all, only while it still is what was read.

JSON is written plain, so its comments would be lost; TOML keeps them. A link stays a link, the mode stays the mode, a
read-only file is left alone, and what the file held before is kept next to it.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from firmly_mcp.errors import SettingsError

# A program's configuration; a file beyond this is something else.
_MAX_BYTES: Final = 64 * 1024 * 1024
_STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_COMMENT: Final = re.compile(rf"{_STRING}|(//[^\r\n]*|/\*.*?\*/)", re.DOTALL)
_TRAILING_COMMA: Final = re.compile(rf"({_STRING})|,(?=\s*[}}\]])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file held when it was read: None if it did not exist. `path` has no links."""

    path: Path
    raw: bytes | None

    @property
    def backup(self) -> Path:
        """Where a write keeps what the file held."""
        return self.path.with_name(f"{self.path.name}.firmly-mcp.bak")

    def encoded(self, text: str) -> bytes:
        """Return a text as this file has it, with its line ends and its byte order mark."""
        raw = self.raw or b""
        lines = re.sub(r"\r?\n", "\r\n", text) if b"\r\n" in raw else text
        return lines.encode("utf-8-sig" if raw.startswith(codecs.BOM_UTF8) else "utf-8")


def find(path: Path) -> Found:
    """Read a file."""
    with _explained("read", path):
        real = Path(os.path.realpath(path))
        if not os.path.lexists(real):
            return Found(real, None)
        if not real.is_file() or real.stat().st_size > _MAX_BYTES:
            raise SettingsError(f"{path} is not a configuration file. Nothing was written.")
        return Found(real, real.read_bytes())


def replace(found: Found, raw: bytes) -> None:
    """Write a file, and next to it what it held."""
    with _explained("written", found.path):
        _refuse_changed(found)
        before = None if found.raw is None else found.path.stat()
        if before is not None and not before.st_mode & stat.S_IWUSR:
            raise SettingsError(f"{found.path} is read-only, so it was left alone. Make it writable, and try again.")
        found.path.parent.mkdir(parents=True, exist_ok=True)
        for path, content in ((found.backup, found.raw), (found.path, raw)):
            if content is not None:
                _put(path, content, found, before)


def remove(found: Found, directories: Sequence[str]) -> None:
    """Remove a file, and those of these directories that are empty then."""
    with _explained("removed", found.path):
        _refuse_changed(found)
        found.path.unlink()
    for directory in sorted(directories, key=len, reverse=True):
        with suppress(OSError):
            Path(directory).rmdir()


def parse(found: Found, *, is_toml: bool) -> tuple[dict[str, Any], bool]:
    """Return what a file says, and whether it has comments that plain JSON would lose."""
    try:
        text = (found.raw or b"").decode("utf-8-sig")
        if is_toml:
            return tomllib.loads(text), False
        bare = _COMMENT.sub(lambda match: re.sub(r"[^\r\n]", " ", match[1]) if match[1] else match[0], text)
        plain = _TRAILING_COMMA.sub(lambda match: match[1] or " ", bare)
        data = json.loads(plain, object_pairs_hook=_object) if plain.strip() else {}
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"{found.path} cannot be read, so it was left alone: {error}. Correct it, and try again."
        ) from None
    if not isinstance(data, dict):
        raise SettingsError(f"{found.path} was left alone: what begins in line 1 is not an object.")
    return data, bare != text


def render(found: Found, data: Mapping[str, Any], key: str, name: str, *, is_toml: bool) -> str:
    """Return the text of a file that now says `data`, which differs from what it said in the table `key.name`.

    Raises:
        ValueError: the text would say something else.
    """
    text = (found.raw or b"").decode("utf-8-sig").replace("\r\n", "\n")
    if not is_toml:
        indent = re.search(r'^([ \t]+)"', text, re.MULTILINE)
        end = "\n" if not text or text.endswith("\n") else ""
        return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent[1] if indent else 2) + end
    from tomlkit.exceptions import TOMLKitError

    with suppress(TOMLKitError):
        after = _with_table(text, key, name, data.get(key, {}).get(name))
        if {key: {}} | tomllib.loads(after) == {key: {}} | dict(data):
            return after
    raise ValueError("its layout does not allow it")


def toml_table(key: str, name: str, values: Mapping[str, Any]) -> str:
    """Return a table as TOML."""
    import tomlkit

    return tomlkit.dumps({key: {name: values}})


def _put(path: Path, content: bytes, found: Found, like: os.stat_result | None) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if like is not None:
            if hasattr(os, "chown") and (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(temporary, like.st_uid, like.st_gid)
            temporary.chmod(stat.S_IMODE(like.st_mode))
        _refuse_changed(found)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_changed(found: Found) -> None:
    if find(found.path).raw != found.raw:
        raise changed(found.path)


def changed(path: Path) -> SettingsError:
    """Return the refusal to overwrite what was not shown."""
    return SettingsError(f"{path} changed since it was shown, so nothing was written. Run the command again.")


@contextmanager
def _explained(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise SettingsError(f"{path} cannot be {action} ({reason}). It is as it was.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = Counter(name for name, _ in pairs)
    if len(names) < len(pairs):
        raise ValueError(f"an object has {names.most_common(1)[0][0]!r} twice")
    return dict(pairs)


def _with_table(text: str, key: str, name: str, new: Mapping[str, Any] | None) -> str:
    """Return a TOML text with our table at its end or edited in its place, or without it. All other text stays."""
    import tomlkit

    def edited(toml: str) -> str:
        document: Any = tomlkit.parse(toml)
        if new is None:
            del document[key][name]
        else:
            _assign(document, {key: {name: new}})
        return tomlkit.dumps(document)

    def replaced(tables: re.Match[str]) -> str:
        below = _comments_below(tables[2])  # to tomlkit they are ours
        return below if new is None else tables[1] + edited(tables[2].removesuffix(below)) + below

    header = rf"^[ \t]*\[[ \t]*[\"']?{key}[\"']?[ \t]*\.[ \t]*[\"']?{name}[\"']?[ \t]*[.\]]"
    line = r"[^\n]*(?:\n|\Z)"
    ours = re.compile(rf"((?:^\n)?)((?:{header}{line}(?:(?![ \t]*\[){line})*)+)", re.MULTILINE)
    after, count = ours.subn(replaced, text)
    if count:
        return after
    with suppress(tomllib.TOMLDecodeError):
        appended = (f"{text.rstrip()}\n\n" if text.strip() else "") + toml_table(key, name, new or {})
        if new is not None and tomllib.loads(appended):
            return appended
    # All tables stand in braces on one line.
    return edited(text)


def _assign(table: MutableMapping[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(table.get(name), MutableMapping):
            _assign(table[name], value)
        elif table.get(name) != value:
            table[name] = value


def _comments_below(tables: str) -> str:
    lines = tables.splitlines(keepends=True)[::-1]
    below = takewhile(lambda line: not line.strip() or line.lstrip().startswith("#"), lines)
    return "".join([*below][::-1])
