"""What becomes of a client's list of servers: worked out, shown, and only then written. Only our own entry changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from firmly_mcp.errors import SettingsError
from firmly_mcp.system.files import make_data_dir, write_whole

from . import files
from .clients import Client, Entry, Machine

_COMMAND_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Change:
    """A client's file before and after. `old` and `new` are our entry, None if it has none.

    `raw` is the new content, None if the file goes too. The client's own `commands` make the change in its place.
    `obstacle` is why it cannot be made. `made` is what `install` makes for the entry, kept in `record` meanwhile.
    """

    client: Client
    name: str
    found: files.Found
    old: Entry | None
    new: Entry | None
    raw: bytes | None
    commands: list[list[str]]
    obstacle: str
    made: Mapping[str, Any]
    record: Path

    @property
    def place(self) -> str:
        """Where our entry is in the file."""
        return f"{self.client.key}.{self.name}"

    @property
    def kind(self) -> str:
        """What happens to our entry: none, add, update or remove."""
        if self.old == self.new:
            return "none"
        return "add" if self.old is None else "remove" if self.new is None else "update"

    def entry_text(self, entry: Entry) -> str:
        """Return an entry as it can be pasted into the file."""
        if self.client.is_toml:
            return files.toml_table(self.client.key, self.name, entry)
        return f"{json.dumps(self.name)}: {json.dumps(entry, indent=2)}"


def plan(client: Client, machine: Machine, name: str, entry: Entry | None, records: Path) -> Change:
    """Return the change that adds our entry or brings it up to date; without an entry, the one that removes it.

    Raises:
        SettingsError: the file cannot be read, or has another server of this name.
    """
    found = files.find(client.file(machine))
    data, has_comments = files.parse(found, is_toml=client.is_toml)
    old = _entry(client, found.path, data, name)
    if old is not None and not is_ours(old):
        raise SettingsError(
            f"{found.path} has a server named {name} that does not start firmly-mcp. It was left alone: choose another "
            "name with --name, or remove that server yourself."
        )
    new = _merged(old or {}, entry) if entry is not None else None
    digest = hashlib.sha256(f"{name}\n{found.path}".encode(errors="surrogateescape")).hexdigest()
    record = records / f"{digest[:32]}.json"
    made = _recall(record)
    if old is None:
        missing = [str(each) for each in found.path.parents if not each.exists()]
        made = {"made_file": found.raw is None, "made_list": client.key not in data, "made_directories": missing}
    raw, commands, obstacle = found.raw, client.commands(name, old, new), ""
    if has_comments and old != new:
        obstacle = "has comments, which plain JSON would lose"
    elif old != new:
        try:
            after = _with_entry(data, client.key, name, new, drop_list=made.get("made_list", False))
            text = files.render(found, after, client.key, name, is_toml=client.is_toml)
            goes = new is None and made.get("made_file") and text.strip() in {"", "{}"}
            raw, commands = (None, []) if goes else (found.encoded(text), commands)
        except (ValueError, RecursionError) as error:
            obstacle = f"cannot be changed in this entry alone ({error})"
    return Change(client, name, found, old, new, raw, commands, "" if commands else obstacle, made, record)


def write(change: Change, machine: Machine) -> None:
    """Make a change.

    Raises:
        SettingsError: the file is not what was shown any more, or cannot be written. It is as it was.
    """
    if change.commands:
        _run_commands(change, machine)
    elif change.raw is None:
        files.remove(change.found, change.made.get("made_directories", ()))
    else:
        if change.old is None:
            make_data_dir(change.record.parent)
            write_whole(change.record, json.dumps(change.made))
        files.replace(change.found, change.raw)
    if change.new is None:
        change.record.unlink(missing_ok=True)


def entry_in_file(client: Client, machine: Machine, name: str) -> Entry | None:
    """Return the entry of this name that the client's file has now.

    Raises:
        SettingsError: the file cannot be read.
    """
    found = files.find(client.file(machine))
    return _entry(client, found.path, files.parse(found, is_toml=client.is_toml)[0], name)


def is_ours(entry: Entry) -> bool:
    """Whether an entry starts firmly-mcp."""
    return any(
        Path(word).stem == "firmly-mcp" or word == "firmly_mcp" or word.startswith("firmly-mcp==")
        for word in words(entry)
    )


def words(entry: Entry) -> list[str]:
    """Return the command and the arguments of an entry."""
    args = entry.get("args", [])
    return [str(entry.get("command", "")), *map(str, args if isinstance(args, list) else [])]


def _entry(client: Client, path: Path, data: Mapping[str, Any], name: str) -> Entry | None:
    servers = data.get(client.key)
    entry = servers.get(name) if isinstance(servers, dict) else None
    for part, value, kind in ((client.key, servers, "a list of servers"), (f"{client.key}.{name}", entry, "a server")):
        if value is not None and not isinstance(value, dict):
            raise SettingsError(f"{path} was left alone: `{part}` is not {kind}.")
    return entry


def _merged(old: Entry, entry: Entry) -> Entry:
    """Return the old entry brought up to date. Members and variables that the new one does not set stay."""
    merged = {**old, **entry}
    if isinstance(old.get("env"), dict):
        merged["env"] = old["env"] | entry.get("env", {})
    if isinstance(named := old.get("env_vars"), list):
        merged["env_vars"] = named + [each for each in entry.get("env_vars", []) if each not in named]
    return merged


def _with_entry(data: Mapping[str, Any], key: str, name: str, new: Entry | None, *, drop_list: bool) -> dict[str, Any]:
    servers = {**(data.get(key) or {}), name: new}
    if new is None:
        del servers[name]
    after = {**data, key: servers}
    if drop_list and not servers:
        del after[key]
    return after


def _recall(record: Path) -> dict[str, Any]:
    """Return what `install` made for an entry. Version 0.1.0 kept it under the same names."""
    try:
        kept = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _run_commands(change: Change, machine: Machine) -> None:
    """Run the client's own commands, and check what they wrote."""
    if entry_in_file(change.client, machine, change.name) != change.old:
        raise files.changed(change.found.path)
    for command in change.commands:
        shown = f"`{' '.join(command[:3])}`"
        try:
            done = subprocess.run(  # noqa: S603 - the client's own program, found on the PATH and shown before
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SettingsError(f"{shown} did not run ({type(error).__name__}).") from None
        if done.returncode:
            output = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
            raise SettingsError(f"{shown} failed: {output[-1]}")
    if entry_in_file(change.client, machine, change.name) != change.new:
        raise SettingsError(f"`{change.client.program} mcp` ran, but {change.found.path} lacks what was shown.")
