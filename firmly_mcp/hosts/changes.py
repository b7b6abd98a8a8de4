"""What would become of a host's file: worked out, read back, and only then written.

A change is refused unless the file, read again, says all that it said before, and differs in our entry alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmly_mcp.errors import SettingsError

from . import files, json_text, toml_text
from .jsonc import Malformed
from .known import Host, Machine, Syntax
from .undo import Memory, Written

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after. `old` and `new` are our entry; None where there is none.

    `after` is None where the file goes as well; `written` is what has to be kept to undo it.
    """

    host: Host
    name: str
    found: files.Found
    old: Entry | None
    new: Entry | None
    after: str | None
    written: Written

    @property
    def is_none(self) -> bool:
        """Whether everything is as it should be already."""
        return self.old == self.new

    @property
    def place(self) -> str:
        """Where in the file our entry is."""
        return f"{self.host.key}.{self.name}"


def installing(host: Host, machine: Machine, name: str, entry: Entry, memory: Memory) -> Change:
    """The change that puts our entry on the host's list, or brings it up to date.

    What the entry says besides, and variables that this shell does not set, stay.

    Raises:
        SettingsError: the file cannot be read, is not what it should be, or has another server of this name.
    """
    found = files.find(host.file(machine))
    with _explained(found.path):
        text = found.text
        old = _entry(host, text, name)
        _refuse_strange(found.path, name, old)
        if old is None:
            after = _added(host, text, name, entry)
            written = replace(
                Written.between(text, after), made_file=found.raw is None, made_list=host.key not in _plain(host, text)
            )
        else:
            entry = _merged(old, entry)
            after = _updated(host, text, name, old, entry)
            written = memory.recall(found.path, name).after(text, after)
        _refuse_unless_alone(host, found, name, after, entry)
    return Change(host, name, found, old, entry, after, written)


def uninstalling(host: Host, machine: Machine, name: str, memory: Memory) -> Change:
    """The change that takes our entry off the host's list, and what was made for it alone.

    Raises:
        SettingsError: as for `installing`.
    """
    found = files.find(host.file(machine))
    written = memory.recall(found.path, name)
    with _explained(found.path):
        text = found.text
        old = _entry(host, text, name)
        _refuse_strange(found.path, name, old)
        if old is None:
            return Change(host, name, found, None, None, text, written)
        after = written.taken_out(text)
        if after is None:
            after = _removed(host, text, name, drop_list=written.made_list)
        _refuse_unless_alone(host, found, name, after, None)
        goes = written.made_file and (not after.strip() or (host.syntax is Syntax.JSON and after.split() == ["{}"]))
    return Change(host, name, found, old, None, None if goes else after, written)


def apply(change: Change, memory: Memory) -> None:
    """Write a change.

    Raises:
        SettingsError: the file is not what was shown any more, or cannot be written. It is as it was.
    """
    if change.after is None:
        files.remove(change.found, [Path(each) for each in change.written.made_directories])
        memory.forget(change.found.path, change.name)
        return
    raw = change.found.encoded(change.after)
    if change.new is None:
        files.replace(change.found, raw)
        memory.forget(change.found.path, change.name)
        return
    before = memory.recall(change.found.path, change.name)
    made = tuple(str(each) for each in files.missing_directories(change.found))
    written = replace(change.written, made_directories=made or before.made_directories)
    memory.keep(change.found.path, change.name, written)
    try:
        files.replace(change.found, raw)
    except SettingsError:
        memory.keep(change.found.path, change.name, before)
        raise


def entry_there(host: Host, machine: Machine, name: str) -> Entry | None:
    """Our entry as the host's file has it now.

    Raises:
        SettingsError: the file cannot be read.
    """
    found = files.find(host.file(machine))
    with _explained(found.path):
        return _entry(host, found.text, name)


def is_ours(entry: Entry) -> bool:
    """Whether an entry starts firmly-mcp."""
    args = entry.get("args", [])
    words = [entry.get("command"), *(args if isinstance(args, list) else [])]
    return any(
        Path(word).stem == "firmly-mcp" or word == "firmly_mcp" or word.startswith("firmly-mcp==")
        for word in words
        if isinstance(word, str)
    )


def _plain(host: Host, text: str) -> dict[str, Any]:
    return json_text.plain(text) if host.syntax is Syntax.JSON else toml_text.plain(text)


def _entry(host: Host, text: str, name: str) -> Entry | None:
    servers = _plain(host, text).get(host.key)
    if servers is None:
        return None
    if not isinstance(servers, dict):
        raise _Unexpected(f"`{host.key}` is no list of servers")
    entry = servers.get(name)
    if entry is not None and not isinstance(entry, dict):
        raise _Unexpected(f"`{host.key}.{name}` is no server")
    return entry


def _added(host: Host, text: str, name: str, entry: Entry) -> str:
    if host.syntax is Syntax.JSON:
        return json_text.with_member(text, (host.key, name), dict(entry))
    return toml_text.with_table(text, (host.key, name), entry)


def _merged(old: Entry, entry: Entry) -> dict[str, Any]:
    merged = dict(old) | dict(entry)
    if "env" in old and isinstance(old["env"], dict):
        merged["env"] = old["env"] | entry.get("env", {})
    if isinstance(old.get("env_vars"), list):
        named = old["env_vars"]
        merged["env_vars"] = named + [each for each in entry.get("env_vars", []) if each not in named]
    return merged


def _updated(host: Host, text: str, name: str, old: Entry, entry: Entry) -> str:
    """The text with what differs set, each value in its place."""
    if host.syntax is Syntax.TOML:
        return toml_text.with_values(text, (host.key, name), {k: v for k, v in entry.items() if old.get(k) != v})
    for member, value in entry.items():
        was = old.get(member)
        if isinstance(value, dict) and isinstance(was, dict):
            for variable, said in value.items():
                if was.get(variable) != said:
                    text = json_text.with_member(text, (host.key, name, member, variable), said)
        elif was != value:
            text = json_text.with_member(text, (host.key, name, member), value)
    return text


def _removed(host: Host, text: str, name: str, *, drop_list: bool) -> str:
    if host.syntax is Syntax.TOML:
        return toml_text.without_table(text, (host.key, name))
    text = json_text.without_member(text, (host.key, name))
    if drop_list and not _plain(host, text)[host.key]:
        text = json_text.without_member(text, (host.key,))
    return text


def _refuse_unless_alone(host: Host, found: files.Found, name: str, after: str, entry: Entry | None) -> None:
    """Read the text back: it says what it said, and our entry."""
    expected = _without(host, _plain(host, found.text), name)
    try:
        said = _plain(host, after)
        is_alone = said.get(host.key, {}).get(name) == entry and _without(host, said, name) == expected
    except (Malformed, AttributeError):
        is_alone = False
    if not is_alone:
        raise SettingsError(
            f"{found.path} is written in a way that cannot be changed without touching what else it says, so it was "
            f"left alone. Edit `{host.key}.{name}` by hand."
        )


def _without(host: Host, said: dict[str, Any], name: str) -> dict[str, Any]:
    """What is said besides our entry. A list of servers that is empty says as much as none."""
    rest = copy.deepcopy(said)
    servers = rest.get(host.key, {})
    servers.pop(name, None)
    if not servers:
        rest.pop(host.key, None)
    return rest


def _refuse_strange(path: Path, name: str, entry: Entry | None) -> None:
    if entry is not None and not is_ours(entry):
        raise SettingsError(
            f"{path} has a server named {name} that is not started by this command. It was left alone: choose another "
            "name with --name, or remove that server yourself."
        )


class _Unexpected(Exception):
    """A file that is well written and says something else."""


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except Malformed as error:
        raise SettingsError(f"{path} cannot be read, so it was left alone: {error}. Mend it, and try again.") from None
    except _Unexpected as error:
        raise SettingsError(f"{path} was left alone: {error}.") from None
