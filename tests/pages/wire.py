"""HTTP by hand: what is sent is exactly what is written here, headers and all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

DEADLINE = 20.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    def hidden(self, name: str) -> str:
        """The value of a hidden field of the form."""
        found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', self.body)
        assert found is not None, self.body
        return found[1]


@dataclass
class Wire:
    """A client of the pages' port, with the cookie that it was given."""

    origin: str
    cookie: str = ""
    path: str = ""
    seen: list[Answer] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The name and port as a browser sends them."""
        return urlsplit(self.origin).netloc

    async def get(self, path: str = "", **headers: str) -> Answer:
        """Get a path, by default the page's own."""
        return await self.send("GET", path or self.path, headers)

    async def post(self, fields: dict[str, str], path: str = "", **headers: str) -> Answer:
        """Post a form as a browser does from the page's own origin, unless the headers say else."""
        body = urlencode(fields).encode()
        usual = {"Origin": self.origin, "Content-Type": "application/x-www-form-urlencoded"}
        return await self.send("POST", path or self.path, {**usual, **headers}, body)

    async def enter(self, link: str) -> Answer:
        """Open a one-time link, keep its cookie, and read the page."""
        swapped = await self.get(urlsplit(link).path)
        assert swapped.status == 303, swapped
        self.cookie = swapped.headers["set-cookie"].partition(";")[0]
        self.path = swapped.headers["location"]
        async with asyncio.timeout(DEADLINE):
            while "Reading the price" in (page := await self.get()).body:
                continue
        return page

    async def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Send a request with these headers; an empty value leaves a header out."""
        all_headers = {"Host": self.host, "Cookie": self.cookie, "Connection": "close"}
        all_headers |= {"Content-Length": str(len(body))} if body else {}
        all_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items() if value)]
        parts = urlsplit(self.origin)
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
                received = await reader.read()
            finally:
                writer.close()
        answer = _read(received)
        self.seen.append(answer)
        return answer


def wire_to(link: str) -> Wire:
    """A client of whatever serves this link."""
    parts = urlsplit(link)
    return Wire(f"{parts.scheme}://{parts.netloc}")


def _read(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(_pair(line) for line in lines)
    return Answer(int(first.split()[1]), headers, body.decode())


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()
