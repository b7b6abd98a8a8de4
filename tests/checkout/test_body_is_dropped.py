"""The sealed card is in memory for as long as its request is being written, and not while the store thinks.

The store here is silent once it has the whole order. What this process holds by then is searched, object by object.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType

import anyio
import pytest
from pydantic import SecretStr

from firmly_mcp.checkout.models import Attempt, OrderIntent
from firmly_mcp.wallet.cards import Card
from tests.api.loopback import reply
from tests.proofs import until_recorded
from tests.secret_service import SecretService

from .abroad import CART, CODE, ITEMS, open_abroad
from .test_where_the_card_goes import ALLOW, KEY, MUCH, a_jwk, paying_at

pytestmark = pytest.mark.anyio


@dataclass
class Silent:
    """A payment host that keeps of an order what is needed to find it again, and answers when it is let."""

    url: str = ""
    length: int = 0
    backwards: str = ""
    has_order: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, body: bytes) -> None:
        """Keep a piece of the sealed card, in a form that is not found when it is searched for."""
        jwe = json.loads(body)["encrypted_card"]
        self.length, self.backwards = len(jwe), jwe[-60:][::-1]
        self.has_order.set()

    def is_in(self, value: object) -> bool:
        """Whether the sealed card is in this value."""
        if not isinstance(value, str | bytes | bytearray) or len(value) < self.length:
            return False
        piece = self.backwards[::-1]
        return piece in value if isinstance(value, str) else piece.encode() in value


@asynccontextmanager
async def silent_host() -> AsyncIterator[Silent]:
    host = Silent()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                if KEY in head:
                    writer.write(reply(200, a_jwk()))
                    continue
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
                host.note(await reader.readexactly(length))
                await host.may_answer.wait()
                writer.write(reply(200, {"platform_order_number": "L-1"}))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        host.may_answer.set()
        server.close()


def holders(host: Silent) -> Iterator[str]:
    """The types of the objects that lead to the sealed card: of all that Python knows, and of every thread's frames."""
    gc.collect()
    here = sys._getframe()
    frames: list[object] = [here.f_back]
    for frame in sys._current_frames().values():
        frames += [each.f_locals for each in _callers(frame) if each is not here]
    left: list[object] = [*gc.get_objects(), *frames]
    seen = {id(left), id(frames)}
    kept_alive: list[object] = [left]
    while left:
        item = left.pop()
        if id(item) in seen or isinstance(item, ModuleType):
            continue
        seen.add(id(item))
        kept_alive.append(item)
        for held in gc.get_referents(item):
            if host.is_in(held):
                yield type(item).__qualname__
            elif not isinstance(held, str | bytes | int | float | type):
                left.append(held)


def kept_secrets() -> Counter[str]:
    """How many cards and security codes are alive."""
    found = (each for each in gc.get_objects() if isinstance(each, Card | SecretStr))
    return Counter(type(each).__name__ for each in found if isinstance(each, Card) or each == CODE)


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


@pytest.mark.parametrize("wish", [CART, ITEMS], ids=["complete", "place"])
async def test_nothing_holds_the_sealed_card_while_the_store_is_silent(
    tmp_path: Path, keyring_bus: SecretService, wish: OrderIntent
) -> None:
    async with open_abroad(tmp_path) as abroad, silent_host() as host:
        abroad.rules(ALLOW)
        async with paying_at(abroad, host.url) as services:
            before = kept_secrets()
            placing = await (await services.placement()).place(wish, max_total=MUCH)
            assert isinstance(placing, Attempt)
            with anyio.fail_after(30):
                await host.has_order.wait()
            # The store may have the last byte before the writer continues.
            for _ in range(10):
                await asyncio.sleep(0)
            found, secrets = list(holders(host)), kept_secrets() - before
            host.may_answer.set()
            assert found == []
            assert secrets == Counter()
            with anyio.fail_after(30):
                await until_recorded(await services.placement(), placing)
            attempt = await (await services.placement()).attempt(placing.id)
            assert attempt is not None
            assert attempt.outcome.order_number == "L-1"
