"""How fast the simulator itself answers, so that it is not what the other figures measure."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .market import LUMA, Market, plain_shopper, plainly_filled

REQUESTS: Final = 3_000


def cart_reads(at: Market) -> dict[str, float]:
    """`GET cart` answered for each second of processor time, which is what one core gives."""
    token, path = asyncio.run(_a_cart(at))
    address = urlsplit(at.api_url)
    request = f"GET {path} HTTP/1.1\r\nhost: {address.netloc}\r\nx-firmly-authorization: {token}\r\n\r\n".encode()
    with socket.create_connection((address.hostname, address.port)) as connection:
        answers = connection.makefile("rb")
        spent = 0.0
        for number in range(REQUESTS + 200):
            if number == 200:  # warm by now
                spent = processor_seconds(at.pid)
            connection.sendall(request)
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            answers.read(length)
    return {"per_processor_second": round(REQUESTS / (processor_seconds(at.pid) - spent))}


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _a_cart(at: Market) -> tuple[str, str]:
    async with plain_shopper(at) as http:
        path = await plainly_filled(http, at, LUMA)
        return str(http.headers["x-firmly-authorization"]), path
