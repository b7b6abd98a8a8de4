"""The security code is printed by the operator's own command at the moment of use, and is never stored."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from typing import Final

import anyio
from anyio.abc import Process
from pydantic import SecretStr

from firmly_mcp.errors import WalletError

_LONGEST_OUTPUT: Final = 64


async def security_code(command: Sequence[str], *, limit: float = 10.0) -> SecretStr:
    """Run `cvv_command`, a program and its arguments, and take the three or four digits that it prints.

    No shell, no input, its errors are not shown; it has `limit` seconds, and is killed with what it started.

    Raises:
        WalletError: it cannot be run, fails, takes too long, or prints something else; never holds what it printed.
    """
    if not command:
        raise WalletError("No cvv_command is set, so there is no security code. Nothing was sent.")
    program = PurePath(command[0]).name
    process = await _started(command)
    if process is None:
        raise WalletError(f"The cvv_command {program} cannot be run. Nothing was sent.")
    try:
        with anyio.move_on_after(limit) as time:
            printed = await _output(process)
            # One that prints more than we read may wait for ever for somebody who does.
            exit_code = 0 if len(printed) > _LONGEST_OUTPUT else await process.wait()
    finally:
        await _end(process)
    if time.cancelled_caught:
        raise WalletError(f"The cvv_command {program} took longer than {limit:g} seconds. Nothing was sent.")
    if exit_code != 0:
        raise WalletError(f"The cvv_command {program} failed with exit code {exit_code}. Nothing was sent.")
    if not _is_code(printed):
        raise WalletError(f"The cvv_command {program} printed no three or four digits. Nothing was sent.")
    return printed


async def _started(command: Sequence[str]) -> Process | None:
    try:
        return await anyio.open_process(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=os.name == "posix",
        )
    except (OSError, ValueError):
        return None


async def _output(process: Process) -> SecretStr:
    """What was printed, without the line's end; cut where it is too long to be a code."""
    received = b""
    if process.stdout is not None:
        with suppress(anyio.EndOfStream):
            while len(received) <= _LONGEST_OUTPUT:
                received += await process.stdout.receive(_LONGEST_OUTPUT)
    return SecretStr(received.decode("ascii", "replace").strip())


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        # The whole session: a script's children would live on, and hold the pipe open.
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            elif process.returncode is None:
                process.kill()
        await process.aclose()


def _is_code(printed: SecretStr) -> bool:
    text = printed.get_secret_value()
    return text.isascii() and text.isdigit() and len(text) in {3, 4}
