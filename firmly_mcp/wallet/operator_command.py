"""An operator's own command prints a secret at the moment of use. No shell, no input, and it is over in time.

It runs in a process group of its own, which is ended with it. The group is signalled only while its leader is not
reaped yet: after that, its number may be a stranger's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import PurePath
from typing import Final

import anyio
from anyio import from_thread, lowlevel, to_thread
from pydantic import SecretStr

from firmly_mcp.errors import WalletError

# Its output has ended, so it ends too: this is asked a few times at most.
_SECONDS_BETWEEN_LOOKS: Final = 0.005
_SECONDS_TO_DIE: Final = 5.0


async def printed_by(command: Sequence[str], *, setting: str, longest: int, limit: float = 10.0) -> SecretStr | None:
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
            # One that prints more than we read may wait for ever for somebody who does.
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
        # The loop may have ended meanwhile; then nobody waits.
        with suppress(RuntimeError):
            from_thread.run_sync(done.set, token=token)

    # Nobody waits for this thread at the end of the program: something may have left the group with the pipe.
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
