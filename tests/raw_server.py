"""The server as a process, driven by hand: every byte it writes is kept."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from tests.prefork import PIPE, ROOT, Forked

DEADLINE = 30.0
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "1"},
}


class RawServer:
    """A running `firmly-mcp serve`. `lines` is all that came on standard output, `errors` all on standard error."""

    def __init__(self, environment: Mapping[str, str], *arguments: str, cwd: Path = ROOT, forked: bool = False) -> None:
        self.process = (
            Forked(["serve", *arguments], env=environment, cwd=cwd)
            if forked
            else subprocess.Popen(
                [sys.executable, "-m", "firmly_mcp", "serve", *arguments],
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env=dict(environment),
                cwd=cwd,
            )
        )
        self.lines: list[bytes] = []
        self.errors: list[bytes] = []
        self.notifications: list[dict[str, Any]] = []
        self._answers: Queue[dict[str, Any]] = Queue()
        self._questions: Queue[dict[str, Any]] = Queue()
        self._ids = iter(range(1, 100_000))
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def initialize(self) -> None:
        """Shake hands as a 2025-11-25 client does."""
        self.request("initialize", INITIALIZE)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message."""
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, raw: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(raw)
        self.process.stdin.flush()

    def begin(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request and do not wait for its answer; its id."""
        number = next(self._ids)
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request; its answer."""
        return self.answer(self.begin(method, params))

    def answer(self, number: int) -> dict[str, Any]:
        """The answer to a request that was begun."""
        while (answer := self._answers.get(timeout=DEADLINE)).get("id") != number:
            continue
        return answer

    def asked(self) -> dict[str, Any]:
        """The next question that it asks of the host."""
        return self._questions.get(timeout=DEADLINE)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; its result, whether it is an error or not."""
        result = self.request("tools/call", self.calling(tool, **arguments))["result"]
        assert isinstance(result, dict)
        return result

    @staticmethod
    def calling(tool: str, **arguments: Any) -> dict[str, Any]:
        """The parameters of a call that asks for progress; an order may cost up to 9000."""
        if tool in {"complete_order", "place_order"}:
            arguments.setdefault("max_total", "9000")
        return {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}

    def close_input(self) -> int:
        """End its input, and wait for its end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal, and wait for its end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once all that it wrote is here."""
        code = self.process.wait(timeout=DEADLINE)
        for reader in self._readers:
            reader.join(timeout=DEADLINE)
        return code

    @property
    def written(self) -> bytes:
        """Every byte it wrote, to either output."""
        return b"".join(self.lines) + b"".join(self.errors)

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            message = json.loads(line)
            if "id" in message and "method" in message:
                self._questions.put(message)
            elif "id" in message:
                self._answers.put(message)
            else:
                self.notifications.append(message)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)


@contextmanager
def raw_server(
    environment: Mapping[str, str], *arguments: str, cwd: Path = ROOT, forked: bool = False
) -> Iterator[RawServer]:
    """A server that has ended, one way or another, when the context does; with `forked`, one that starts at once."""
    server = RawServer(environment, *arguments, cwd=cwd, forked=forked)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.wait()
        for pipe in (server.process.stdin, server.process.stdout, server.process.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


def environment(home: Path, bus: str | None = None, **variables: str) -> dict[str, str]:
    """The six variables that a host passes on, with a home of its own, and what is added to them."""
    six = {name: os.environ.get(name, "x") for name in ("LOGNAME", "PATH", "SHELL", "TERM", "USER")}
    given = {"DBUS_SESSION_BUS_ADDRESS": bus} if bus else {}
    return {**six, "HOME": str(home), "FIRMLY_MCP_OPEN_PAGES": "false", **given, **variables}
