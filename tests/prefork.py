"""Processes of `firmly-mcp` that do not wait for Python to start: each is forked from one that has loaded everything.

They are processes like any other, with streams, a session, signals and an environment of their own. What a process
loads and when, and how one starts at all, is tested with `subprocess` (`tests/server`, `tests/cli/test_main.py`).
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Final, cast

ROOT: Final = Path(__file__).parents[1]
PIPE: Final = subprocess.PIPE
# What commands load beside the package's own modules.
_BESIDE: Final = (
    "jeepney.io.blocking",
    "jwcrypto.jwe",
    "keyring",
    "rich.console",
    "rich.table",
    "secretstorage",
    "sqlalchemy.dialects.sqlite",
    "uvicorn",
)
_MESSAGE_BYTES: Final = 1 << 20
_ONE_STARTS: Final = threading.Lock()


class Forked:
    """What `subprocess.Popen` is, as far as tests use it."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: int = PIPE,
        stdout: int = PIPE,
        stderr: int = PIPE,
        env: Mapping[str, str],
        cwd: Path = ROOT,
        in_terminal: bool = False,
    ) -> None:
        ours: list[IO[bytes] | None] = []
        theirs: list[int] = []
        for descriptor, mode in ((stdin, "wb"), (stdout, "rb"), (stderr, "rb")):
            if descriptor == PIPE:
                reading, writing = os.pipe()
                here, there = (writing, reading) if mode == "wb" else (reading, writing)
                ours.append(cast("IO[bytes]", os.fdopen(here, mode)))
                theirs.append(there)
            else:
                ours.append(None)
                theirs.append(os.dup(descriptor))
        self.stdin, self.stdout, self.stderr = ours
        self.returncode: int | None = None
        self._one_looks = threading.Lock()
        self._report, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = {"arguments": list(arguments), "env": dict(env), "cwd": str(cwd), "in_terminal": in_terminal}
        with _ONE_STARTS:
            channel, _ = _starter(os.getpid())
        socket.send_fds(channel, [json.dumps(asked).encode()], [*theirs, told.fileno()])
        for descriptor in theirs:
            os.close(descriptor)
        told.close()
        self.pid = int(self._report.recv(100))

    def poll(self) -> int | None:
        """Its exit code, once it has ended; minus the signal that ended it."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises `subprocess.TimeoutExpired`."""
        with self._one_looks:
            if self.returncode is None:
                if not select.select([self._report], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("firmly-mcp", timeout or 0.0)
                self.returncode = os.waitstatus_to_exitcode(int(self._report.recv(100)))
                self._report.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it now."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, given: bytes, timeout: float) -> tuple[bytes, bytes]:
        """Give it all its input, which fits into a pipe, and read both outputs to their ends."""
        assert self.stdin
        assert self.stdout
        assert self.stderr
        with self.stdin, self.stdout, self.stderr:
            self.stdin.write(given)
            self.stdin.close()
            out, errors = self.stdout.fileno(), self.stderr.fileno()
            found, left, deadline = {out: b"", errors: b""}, [out, errors], time.monotonic() + timeout
            while left:
                ready = select.select(left, [], [], max(0.0, deadline - time.monotonic()))[0]
                if not ready:
                    raise subprocess.TimeoutExpired("firmly-mcp", timeout)
                for descriptor in ready:
                    found[descriptor] += (more := os.read(descriptor, 65_536))
                    if not more:
                        left.remove(descriptor)
            return found[out], found[errors]


@cache
def _starter(_of: int) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The connection to the process that forks; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.prefork", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
        )
    return ours, process


def _serve(channel: socket.socket) -> dict[str, Any] | None:
    """Fork for every message; gives in each fork what it is to be, and None at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 4)
        if not message:
            return None
        if os.fork() == 0:
            channel.close()
            return _watch(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _watch(asked: dict[str, Any], stdin: int, stdout: int, stderr: int, report: int) -> dict[str, Any]:
    """Fork once more, into what was asked for, and tell of its beginning and its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(report)
        os.setsid()
        for there, descriptor in enumerate((stdin, stdout, stderr)):
            os.dup2(descriptor, there)
            os.close(descriptor)
        return asked
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    os.write(report, str(pid).encode())
    os.write(report, str(os.waitpid(pid, 0)[1]).encode())
    os._exit(0)


def _become(asked: dict[str, Any]) -> None:
    """What Python's start would have done with the environment and the streams."""
    import fcntl
    import termios

    if asked["in_terminal"]:
        # So that Ctrl-C and /dev/tty work as they do in a shell.
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    os.chdir(asked["cwd"])
    sys.argv = ["firmly-mcp", *asked["arguments"]]
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=encoding, errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _load_everything() -> None:
    import firmly_mcp

    for module in pkgutil.walk_packages(firmly_mcp.__path__, "firmly_mcp."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in _BESIDE:
        import_module(name)
    gc.collect()
    gc.freeze()


def main() -> None:
    """Load everything, then fork until nobody asks any more; in each fork, run the command."""
    _load_everything()
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        _become(asked)
        runpy.run_module("firmly_mcp", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
