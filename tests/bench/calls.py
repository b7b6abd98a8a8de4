"""What our server adds to a request: one call at a time, and 32 in flight at as many stores."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

from .figures import ms, p99
from .market import LUMA, Market, called, calling, fill, firmly, plain_shopper, plainly_filled
from .peers import FOLDER
from .wire import Wire, result_of

CALLS: Final = 600
AT_ONCE: Final = 32
REPEATS: Final = 40


def added_per_call(at: Market) -> dict[str, float]:
    """`get_cart` over stdio beside the same request by a bare `httpx2` client, and by a bare `mcp` server, in turns."""
    return asyncio.run(_added(at))


async def _added(at: Market) -> dict[str, float]:
    ours: list[float] = []
    bare: list[float] = []
    peer: list[float] = []
    async with plain_shopper(at) as http:
        cart = await plainly_filled(http, at, LUMA)
        fetch = {"url": at.api_url + cart, "token": http.headers["x-firmly-authorization"]}
        with firmly(at) as wire, _bare_mcp() as other:
            fill(wire, at, LUMA)
            for _ in range(CALLS):
                began = time.perf_counter()
                called(wire, "get_cart", {"store": LUMA})
                then = time.perf_counter()
                called(other, "fetch", fetch)
                last = time.perf_counter()
                (await http.get(cart)).raise_for_status()
                ours.append(then - began)
                peer.append(last - then)
                bare.append(time.perf_counter() - last)
    return {
        "httpx2_median_ms": ms(median(bare)),
        "added_median_ms": ms(median(ours) - median(bare)),
        "added_p99_ms": ms(p99(ours) - p99(bare)),
        "added_by_bare_mcp_median_ms": ms(median(peer) - median(bare)),
        "added_by_bare_mcp_p99_ms": ms(p99(peer) - p99(bare)),
    }


def _bare_mcp() -> Wire:
    wire = Wire([sys.executable, str(FOLDER / "bare.py"), "--fetching"])
    wire.greet()
    return wire


def in_flight(at: Market) -> dict[str, float]:
    """Calls a second with 32 in flight: ours, and a bare `mcp` server whose tool makes the same request."""
    stores = list(at.handles)[:AT_ONCE]
    token, urls = asyncio.run(_filled(at, stores))
    with firmly(at) as wire:
        for store in stores:
            fill(wire, at, store)
        ours = _rate(wire, lambda number: calling("get_cart", {"store": stores[number]}))
    with _bare_mcp() as wire:
        bare = _rate(wire, lambda number: calling("fetch", {"url": urls[number], "token": token}))
    return {"ours_per_second": round(ours), "bare_mcp_per_second": round(bare), "of_bare_mcp": round(ours / bare, 2)}


async def _filled(at: Market, stores: Sequence[str]) -> tuple[str, list[str]]:
    async with plain_shopper(at) as http:
        urls = [at.api_url + await plainly_filled(http, at, store) for store in stores]
        return str(http.headers["x-firmly-authorization"]), urls


def _rate(wire: Wire, call: Callable[[int], dict[str, Any]]) -> float:
    """Calls a second, with one in flight for each store all the time."""
    _seconds(wire, call)  # warms up
    return AT_ONCE * REPEATS / _seconds(wire, call)


def _seconds(wire: Wire, call: Callable[[int], dict[str, Any]]) -> float:
    began = time.perf_counter()
    store_of = {wire.send("tools/call", call(number)): number for number in range(AT_ONCE)}
    left = AT_ONCE * (REPEATS - 1)
    for frame in wire.frames():
        store = store_of.pop(frame.get("id", -1), None)
        if store is None:
            continue
        result_of(frame)
        if left:
            store_of[wire.send("tools/call", call(store))] = store
            left -= 1
        if not store_of:
            break
    return time.perf_counter() - began
