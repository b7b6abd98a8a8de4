"""What this machine gives: Python, a place for the data, a port for the pages, a browser to show them in."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from firmly_mcp import __version__
from firmly_mcp.errors import SettingsError, WalletError
from firmly_mcp.server.client_record import LastHost, last_host
from firmly_mcp.settings import VARIABLES, Settings
from firmly_mcp.system.process import can_open, in_daemon_thread, opener

from .findings import Examined, Finding, failed, ok, skipped, warning

_MB: Final = 1024 * 1024

_LEAST_FREE: Final = 20 * _MB

_LITTLE_FREE: Final = 200 * _MB

# Locks do not hold there, or not between machines, and neither does SQLite's shared memory.
_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs", "lustre", "9p"}
)


async def software() -> Sequence[Finding]:
    """Which Python runs which version of this."""
    here = f"Python {platform.python_version()} at {sys.executable}, on {platform.system()} {platform.machine()}"
    return [ok("software", f"firmly-mcp {__version__}, mcp {version('mcp')}, {here}.")]


async def data_dir(examined: Examined) -> Sequence[Finding]:
    """Whether the data directory is this user's alone, has room, and is on a disk of this machine."""
    return await in_daemon_thread(lambda: _data_dir(examined))


def _data_dir(examined: Examined) -> Sequence[Finding]:
    path = examined.settings.data_dir.absolute()
    place = next(directory for directory in (path, *path.parents) if directory.exists())
    elsewhere = f"Name another directory: {VARIABLES['data_dir']}=DIRECTORY"
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        return [failed("data directory", f"{place} cannot be written.", f"chmod u+rwx {place}, or: {elsewhere}")]
    if place == path and (problem := _not_ours_alone(path)):
        return [problem]
    kind, free = _file_system(place), shutil.disk_usage(place).free
    if kind in _NETWORK:
        said = f"{path} is on a network file system ({kind}), where locks and the journal do not hold."
        return [failed("data directory", said, elsewhere)]
    room = f"{free // _MB:,} MB free{f' on {kind}' if kind else ''}"
    if free < _LITTLE_FREE:
        made = failed if free < _LEAST_FREE else warning
        return [made("data directory", f"{path} is nearly full: {room}.", f"Make room there, or: {elsewhere}")]
    return [ok("data directory", f"{path}{'' if place == path else ' (made at the first use)'}: {room}.")]


def _not_ours_alone(path: Path) -> Finding | None:
    if os.name == "nt":  # there the user's own directories are closed to others, and modes say nothing
        return None
    found = path.stat()
    if found.st_uid != os.geteuid():
        said = f"{path} belongs to another user (number {found.st_uid})."
        return failed("data directory", said, f"sudo chown -R {os.geteuid()} {path}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        said = f"Others on this machine can look into {path} (mode {stat.S_IMODE(found.st_mode):04o})."
        return failed("data directory", said, f"chmod 700 {path}")
    return None


def _file_system(path: Path) -> str:
    """The kind of file system; empty where this system does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    device = os.stat(path).st_dev  # noqa: PTH116 - follows links, as opening a file there does
    return _kind_of_device(lines, f"{os.major(device)}:{os.minor(device)}")


def _kind_of_device(mounts: Sequence[str], device: str) -> str:
    """From proc(5) mountinfo: the third field is the device, the one behind the lone dash the kind."""
    for line in mounts:
        fields = line.split(" ")
        if fields[2] == device:
            return fields[fields.index("-") + 1]
    return ""


async def pages(examined: Examined) -> Sequence[Finding]:
    """Whether the port of the pages is free, where a browser finds them, and whether a person accepted that."""
    from firmly_mcp.system.loopback import bound

    settings = examined.settings
    try:
        notice = await examined.accepted.pages_notice()
    except WalletError:
        return [skipped("pages", "Where they are cannot be told while the keyring cannot be read.")]
    if notice is not None:
        return [warning("pages", notice, examined.command("rules", "accept"))]
    try:
        listening = await in_daemon_thread(lambda: bound(str(settings.pages_bind), settings.pages_port))
    except SettingsError as error:
        return [failed("pages", error.message, f"{VARIABLES['pages_port']}=0, or a port that is free")]
    listening.close()
    port = f"port {settings.pages_port}" if settings.pages_port else "a free port"
    shown = f", found at {settings.pages_url}" if settings.pages_url else ""
    return [ok("pages", f"They can be served on {port} of {settings.pages_bind}{shown}.")]


async def browser(examined: Examined) -> Sequence[Finding]:
    """What would open a page for the person."""
    approve = f"Approve orders with: {examined.command('approve')}"
    if not examined.settings.open_pages:
        return [ok("browser", "Pages do not open by themselves: open_pages is false.")]
    if not can_open():
        return [warning("browser", _why_none(examined), _way_out(examined.settings, approve))]
    program = opener(examined.environ, sys.platform)
    return [ok("browser", f"Pages open with {program[0] if program else 'the default browser'}.")]


def _why_none(examined: Examined) -> str:
    environ = examined.environ
    if "WSL_DISTRO_NAME" in environ:
        return "No page can be opened from here: wslview is not installed."
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return "No page can be opened from here: xdg-open is not installed."
    return "No page can be opened from here: there is no display (DISPLAY and WAYLAND_DISPLAY are not set)."


def _way_out(settings: Settings, approve: str) -> str:
    return approve if settings.pages_port else f"{approve}; or fix a port for a browser elsewhere: {_A_PORT}"


_A_PORT: Final = f"{VARIABLES['pages_port']}=8438"


# What the assistant's host said that it can do, when it last spoke to a server here, and what follows from that.


async def host(examined: Examined) -> Sequence[Finding]:
    """The host, and one sentence on each thing that it declared or did not."""
    told = await in_daemon_thread(lambda: last_host(examined.settings.data_dir))
    if told is None:
        return [skipped("host", "No assistant has connected yet; what it can do is told here then.")]
    return [ok("host", _name(told)), ok("host links", _links(told)), ok("host forms", _forms(told)), _progress(told)]


def _name(told: LastHost) -> str:
    name = f"{told.name} {told.version}".strip() or "A host without a name"
    over = "standard input and output" if told.transport == "stdio" else "HTTP"
    return f"{name} spoke MCP {told.protocol} over {over}, last on {told.at:%Y-%m-%d %H:%M} UTC."


def _links(told: LastHost) -> str:
    if "elicitation.url" in told.can:
        return "It can show you a link: you are asked for a yes inside of it."
    return "It shows no links: a page opens in your browser, or the answer names a command to run."


def _forms(told: LastHost) -> str:
    if "elicitation.form" in told.can:
        return "It can show forms; none is used, because a card or a yes never goes through a host."
    return "It shows no forms, and none is needed."


def _progress(told: LastHost) -> Finding:
    sampling = "offers" if "sampling" in told.can else "does not offer"
    said = f"It asks for progress call by call and declares nothing of it; it {sampling} sampling, which is not needed."
    return ok("host progress", said)
