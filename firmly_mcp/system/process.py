"""An operator's own command prints a secret at the moment of use. No shell, no input, and it is over in time.

It runs in a process group of its own, which is ended with it. The group is signalled only while its leader is not
reaped yet: after that, its number may be a stranger's.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from anyio import from_thread, lowlevel, to_thread
from pydantic import SecretStr

from firmly_mcp.errors import WalletError

# Its output has ended, so it ends too: this is asked a few times at most.
_SECONDS_BETWEEN_LOOKS: Final = 0.005

_SECONDS_TO_DIE: Final = 5.0


async def run_for_output(
    command: Sequence[str], *, setting: str, longest: int, limit: float = 10.0
) -> SecretStr | None:
    """Run a program with its arguments, and take what it prints; None where that is more than `longest` bytes.

    It has `limit` seconds, and is killed with what it started; its errors are not shown. `setting` names the command.

    Raises:
        WalletError: it cannot be run, fails or takes too long; never holds what it printed.
    """
    program = PurePath(command[0]).name
    process = _started(command)
    if process is None:
        raise WalletError(f"The {setting} {program} cannot be run. Nothing was sent.")
    try:
        with anyio.move_on_after(limit) as time:
            printed = await _output(process, longest)
            # A program that prints more than we read may wait for a reader for ever.
            if printed is not None:
                await _ended(process)
    finally:
        await _end(process)
    if time.cancelled_caught:
        raise WalletError(f"The {setting} {program} took longer than {limit:g} seconds. Nothing was sent.")
    if process.returncode != 0 and printed is not None:
        raise WalletError(f"The {setting} {program} failed with exit code {process.returncode}. Nothing was sent.")
    return printed


def _started(command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(  # noqa: S603 - the person named it, and no shell reads it
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=os.name == "posix",
        )
    except (OSError, ValueError):
        return None


async def _output(process: subprocess.Popen[bytes], longest: int) -> SecretStr | None:
    """What was printed, without the line's end."""
    read: list[SecretStr | None] = []
    done, token = anyio.Event(), lowlevel.current_token()

    def work() -> None:
        read.append(_read(process, longest))
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            from_thread.run_sync(done.set, token=token)

    # The program ends without this thread: something may have left the group with the pipe.
    threading.Thread(target=work, name="firmly-mcp command", daemon=True).start()
    await done.wait()
    return read[0]


def _read(process: subprocess.Popen[bytes], longest: int) -> SecretStr | None:
    received = b""
    if process.stdout is not None:
        with process.stdout as pipe, suppress(OSError):
            while len(received) <= longest and (more := os.read(pipe.fileno(), longest + 1)):
                received += more
    return None if len(received) > longest else SecretStr(received.decode("utf-8", "replace").strip())


async def _ended(process: subprocess.Popen[bytes]) -> None:
    while not _has_ended(process):  # noqa: ASYNC110 - what would wake us on every system reaps it first
        await anyio.sleep(_SECONDS_BETWEEN_LOOKS)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended. Where the system can look without reaping, it stays unreaped."""
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


async def _end(process: subprocess.Popen[bytes]) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            _kill(process)
        with suppress(subprocess.TimeoutExpired):
            await to_thread.run_sync(partial(process.wait, _SECONDS_TO_DIE))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The whole group: a script's children would live on, and hold the pipe open."""
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


# Work that may block for as long as a disk, a resolver or another program does.

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Run work in a daemon thread, which keeps no program from ending; a cancelled caller leaves it behind."""
    future: Future[T] = Future()
    threading.Thread(target=_run, args=(future, work), name="firmly-mcp doctor", daemon=True).start()
    return await asyncio.wrap_future(future)


def _run(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        future.set_exception(error)


# Opening a page in the person's own browser.

# An opener that fails does so at once; one that still runs has found a browser.
_FAILS_WITHIN: Final = 2.0


async def open_in_browser(url: str) -> bool:
    """Open an address; False where this machine has no browser to show it, or its opener fails."""
    if sys.platform == "win32":
        with suppress(OSError):
            os.startfile(url)  # noqa: S606 - the address is our own
            return True
        return False
    command = opener(os.environ, sys.platform)
    return command is not None and await anyio.to_thread.run_sync(_ran, [*command, url])


def can_open() -> bool:
    """Whether this machine can show pages to a person."""
    return sys.platform == "win32" or opener(os.environ, sys.platform) is not None


def opener(environ: Mapping[str, str], platform: str) -> Sequence[str] | None:
    """The program that opens an address for the person at this machine; None where no person would see it."""
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


# A process that opens the wallet leaves no copy of its memory: no core file, and on Linux no look by another
# process.

# <linux/prctl.h>
_PR_GET_DUMPABLE: Final = 3

_PR_SET_DUMPABLE: Final = 4

_log = logging.getLogger(__name__)


def forbid_memory_dumps() -> None:
    """Turn core files and tracing off for this process, once and for good; where that fails, log a warning."""
    if sys.platform == "win32":
        return
    _write_no_core()
    if sys.platform == "linux" and not _make_undumpable():
        _log.warning("the system does not let this process be made undumpable: a crash may leave its memory behind")


def _write_no_core() -> None:
    import resource

    if resource.getrlimit(resource.RLIMIT_CORE) != (0, 0):
        # Lowering a limit is always allowed; a sandbox may refuse the call itself.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _make_undumpable() -> bool:
    try:
        # A Python without libffi has no ctypes.
        from ctypes import CDLL, c_int, c_ulong

        prctl = CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return False
    nothing = [c_ulong(0)] * 3
    # A change of account resets it, so each wallet looks.
    if prctl(c_int(_PR_GET_DUMPABLE), c_ulong(0), *nothing) != 0:
        prctl(c_int(_PR_SET_DUMPABLE), c_ulong(0), *nothing)
    return bool(prctl(c_int(_PR_GET_DUMPABLE), c_ulong(0), *nothing) == 0)
