"""The server as a process that serves HTTP: every byte it writes is kept."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

DEADLINE = 30.0


class HttpServer:
    """A running `firmly-mcp serve --http` on a free port."""

    def __init__(self, environment: Mapping[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "firmly_mcp", "serve", "--http", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(environment),
            cwd=Path(__file__).parents[1],
        )
        self.output: list[str] = []
        self.errors: list[str] = []
        self._said: Queue[str | None] = Queue()
        self._readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.url = self._told("Serving MCP at ")
        self.token_file = Path(self._told("  token: in "))
        self.token = self.token_file.read_text("ascii").strip()

    def signal(self, number: signal.Signals) -> int:
        """Send it a signal, and wait for its end."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code, once all that it wrote is here."""
        code = self.process.wait(DEADLINE)
        for reader in self._readers:
            reader.join(DEADLINE)
        return code

    @asynccontextmanager
    async def client(self, era: Any) -> AsyncIterator[Client]:
        """An MCP client that holds the token."""
        async with mcp_client(self.url, self.token, era) as connected:
            yield connected

    def _told(self, opening: str) -> str:
        line = self._said.get(timeout=DEADLINE)
        assert line is not None, "the server ended"
        assert line.startswith(opening), line
        return line.removeprefix(opening).strip()

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        self.output.extend(self.process.stdout)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.errors.append(line)
            self._said.put(line)
        self._said.put(None)


@contextmanager
def http_server(environment: Mapping[str, str], *arguments: str) -> Iterator[HttpServer]:
    """A server that has ended, one way or another, when the context does."""
    server = HttpServer(environment, *arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.wait()
        for pipe in (server.process.stdout, server.process.stderr):
            if pipe is not None:
                pipe.close()


@asynccontextmanager
async def mcp_client(url: str, token: str, era: Any) -> AsyncIterator[Client]:
    """An MCP client of this address that sends this token."""
    http = create_mcp_http_client({"Authorization": f"Bearer {token}"})
    async with http, Client(streamable_http_client(url, http_client=http), mode=era) as connected:
        yield connected
