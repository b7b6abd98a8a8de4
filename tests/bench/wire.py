"""A client that is nothing but lines in pipes, so that the server is what is measured."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

FRAME_SECONDS: Final = 60
VERSION: Final = "2025-11-25"
_HELLO: Final = {
    "protocolVersion": VERSION,
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


class Wire:
    """A server as a process, and the lines to it and from it. Leaving ends the process."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_as_installed(os.environ) | dict(environment or {}),
        )
        self._numbers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        self._process.wait(30)
        self._process.stdout.close()  # type: ignore[union-attr]  # it is a pipe

    def greet(self) -> None:
        """Begin a session."""
        self.ask("initialize", _HELLO)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """One request and its result."""
        return self.answer_to(self.send(method, params))

    def send(self, method: str, params: Mapping[str, Any]) -> int:
        """One request; its number."""
        self._numbers += 1
        self._write({"jsonrpc": "2.0", "id": self._numbers, "method": method, "params": params})
        return self._numbers

    def answer_to(self, number: int) -> dict[str, Any]:
        """The result of that request; other frames are passed over. Raises RuntimeError for an error."""
        for frame in self.frames():
            if frame.get("id") == number and "method" not in frame:
                return result_of(frame)
        raise RuntimeError("the server ended")

    def frames(self) -> Iterator[dict[str, Any]]:
        """What the server says, frame by frame."""
        for line in self._process.stdout or ():
            yield json.loads(line)

    def resident(self) -> int:
        """Bytes of memory that the process holds now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def _write(self, frame: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(frame).encode() + b"\n")
        self._process.stdin.flush()


def _as_installed(environment: Mapping[str, str]) -> dict[str, str]:
    """An installed package is compiled once, and not at every start."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def result_of(frame: Mapping[str, Any]) -> dict[str, Any]:
    """The result in an answer's frame. Raises RuntimeError where it is an error, of the protocol or of a tool."""
    result = frame.get("result")
    if not isinstance(result, dict) or result.get("isError"):
        raise RuntimeError(str(frame)[:500])
    return result
