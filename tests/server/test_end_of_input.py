"""The end of the input, or a signal, while calls are being served: each is answered, and none by who does not know."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from firmly_mcp.server.app import let_calls_end
from tests.raw_server import INITIALIZE, RawServer, environment, raw_server
from tests.server.test_stdio import attempts, fill_cart, home, slow_down, wait_for_row  # noqa: F401 - a fixture
from tests.shop import STORE, TEE, Shop, client, era  # noqa: F401 - fixtures
from tests.shop import fill_cart as fill_cart_of

ROOT = Path(__file__).parents[2]
DEADLINE = 60
SERVE = (sys.executable, "-m", "firmly_mcp", "serve", "--demo")
BOTH_ERAS = pytest.mark.parametrize("modern", [True, False], ids=["stateless", "handshake"])
STATELESS: dict[str, Any] = {
    PROTOCOL_VERSION_META_KEY: "2026-07-28",
    CLIENT_CAPABILITIES_META_KEY: {},
    CLIENT_INFO_META_KEY: {"name": "raw", "version": "1"},
}


def buying(tool: str = "complete_order", **arguments: Any) -> dict[str, Any]:
    return RawServer.calling(tool, store=STORE, **arguments)


def frames(*calls: Mapping[str, Any], modern: bool) -> bytes:
    """A whole session as a script writes it: its calls have the ids 1, 2 and so on."""
    opening: list[dict[str, Any]] = [
        {"id": 0, "method": "initialize", "params": INITIALIZE},
        {"method": "notifications/initialized"},
    ]
    asked = [
        {"id": number, "method": "tools/call", "params": {**call, "_meta": STATELESS if modern else {}}}
        for number, call in enumerate(calls, 1)
    ]
    messages = ([] if modern else opening) + asked
    return b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages)


def results_of(output: bytes) -> dict[int, dict[str, Any]]:
    """The results by id; an error of the protocol is none."""
    told = [json.loads(line) for line in output.splitlines()]
    return {frame["id"]: frame["result"] for frame in told if "result" in frame}


def called(server: RawServer, *, modern: bool, **call: Any) -> int:
    """Begin a call of either era; its id."""
    meta = {"progressToken": "p", **(STATELESS if modern else {})}
    return server.begin("tools/call", {**call, "_meta": meta})


def with_a_cart(server: RawServer, *, modern: bool) -> None:
    if not modern:
        server.initialize()
    for call in (
        RawServer.calling("add_line_item", store=STORE, ref=TEE),
        RawServer.calling("set_shipping_info", store=STORE),
    ):
        assert not server.answer(called(server, modern=modern, **call))["result"]["isError"]


@BOTH_ERAS
@pytest.mark.parametrize("end", ["input", "SIGTERM", "SIGINT"])
def test_an_order_in_flight_is_answered_by_its_outcome(home: Path, end: str, *, modern: bool) -> None:  # noqa: F811
    with raw_server(environment(home), "--demo", forked=True) as server:
        with_a_cart(server, modern=modern)
        slow_down(home)
        number = called(server, modern=modern, **buying())
        wait_for_row(home)
        assert (server.close_input() if end == "input" else server.signal(signal.Signals[end])) == 0
        order = server.answer(number)["result"]["structuredContent"]
        assert (order["status"], order["money_moved"]) == ("placed", "yes")
        assert not server.errors
    assert attempts(home) == ["placed"]


@BOTH_ERAS
@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_every_request_is_answered_although_the_input_ended_at_once(
    home: Path,  # noqa: F811
    tmp_path: Path,
    kind: str,
    *,
    modern: bool,
) -> None:
    calls = (
        RawServer.calling("search_products", query="tee"),
        buying("place_order", items=[{"ref": TEE}]),
        RawServer.calling("list_addresses"),
        RawServer.calling("no_such_tool"),
    )
    asked = tmp_path / "asked"
    asked.write_bytes(frames(*calls, modern=modern))
    run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run
    ran = {"env": environment(home), "cwd": ROOT, "timeout": DEADLINE, "check": True}
    if kind == "pipe":
        told = run(SERVE, input=asked.read_bytes(), capture_output=True, **ran).stdout
    else:
        with asked.open("rb") as lines, (tmp_path / "told").open("wb") as out:
            run(SERVE, stdin=lines, stdout=out, **ran)
        told = (tmp_path / "told").read_bytes()
    results = results_of(told)
    assert {1, 2, 3, 4} <= set(results)
    assert results[1]["structuredContent"]["products"]
    assert results[2]["structuredContent"]["status"] == "placed"
    assert attempts(home) == ["placed"]


def test_an_order_that_its_client_gave_up_is_placed_before_the_server_ends(home: Path) -> None:  # noqa: F811
    with raw_server(environment(home), "--demo", forked=True) as server:
        with_a_cart(server, modern=False)
        slow_down(home)
        number = called(server, modern=False, **buying())
        wait_for_row(home)
        server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        assert server.close_input() == 0
        # A request that was given up is not answered, least of all by an error.
        assert not [line for line in server.lines if json.loads(line).get("id") == number]
    assert attempts(home) == ["placed"]


@pytest.mark.parametrize("end", ["input", "SIGTERM"])
def test_a_question_that_the_host_can_answer_no_more_is_no_error_of_the_order(home: Path, end: str) -> None:  # noqa: F811
    (home / ".config" / "firmly-mcp" / "rules.toml").write_text('[USD]\nask_above = "1"\n', "utf-8")
    with raw_server(environment(home), "--demo", forked=True) as server:
        server.request("initialize", {**INITIALIZE, "capabilities": {"elicitation": {"url": {}}}})
        server.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        fill_cart(server)
        number = server.begin("tools/call", buying())
        assert server.asked()["method"] == "elicitation/create"
        assert (server.close_input() if end == "input" else server.signal(signal.SIGTERM)) == 0
        order = server.answer(number)["result"]["structuredContent"]
    assert (order["status"], order["money_moved"]) == ("approval_required", "no")


def test_the_open_stream_of_a_subscription_does_not_hold_up_the_end(home: Path) -> None:  # noqa: F811
    with raw_server(environment(home), "--demo", forked=True) as server:
        listening = {"notifications": {"toolsListChanged": True}, "_meta": STATELESS}
        server.begin("subscriptions/listen", listening)
        assert not server.answer(called(server, modern=True, **RawServer.calling("list_addresses")))["result"][
            "isError"
        ]
        assert server.close_input() == 0


async def ended_during(
    client: Client,  # noqa: F811
    shop: Shop,
    begun: Callable[[], Awaitable[bool]],
    tool: str,
    **arguments: Any,
) -> dict[str, Any]:
    """The result of a call during which the server is told to end, with no time for an order in flight."""
    results: list[Any] = []
    done = anyio.Event()

    async def run() -> None:
        results.append(await client.call_tool(tool, arguments))
        done.set()

    with anyio.fail_after(DEADLINE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            while not await begun():
                await anyio.lowlevel.checkpoint()
            await let_calls_end(shop.services, done.wait, drain=0.01)
    assert results[0].structured_content is not None
    return dict(results[0].structured_content)


@pytest.mark.anyio
async def test_an_order_that_outlasts_its_time_is_answered_as_unknown(client: Client, shop: Shop) -> None:  # noqa: F811
    await fill_cart_of(client)
    shop.simulator.faults.add("delay-answer", "*_order_v2", seconds=60)

    async def sent() -> bool:
        return bool(shop.orders_sent())

    order = await ended_during(client, shop, sent, "complete_order", store=STORE, max_total="9000")
    assert (order["status"], order["money_moved"]) == ("unknown", "unknown")
    assert "get_order_status" in order["next"]


@pytest.mark.parametrize(
    ("arguments", "match", "facts"),
    [
        ({"tool": "add_line_item", "ref": TEE}, "add_line_item_v2", ("cut_short", False, "no")),
        ({"tool": "get_cart"}, "get_cart_v2", ("cut_short", True, "no")),
        ({"tool": "complete_order", "max_total": "9000"}, "get_cart_v2", ("outcome_unknown", False, "unknown")),
    ],
)
@pytest.mark.anyio
async def test_a_call_that_is_cut_tells_what_may_have_been_done(
    client: Client,  # noqa: F811
    shop: Shop,
    arguments: dict[str, Any],
    match: str,
    facts: tuple[str, bool, str],
) -> None:
    await fill_cart_of(client)
    seen = len(shop.simulator.requests)
    shop.simulator.faults.add("delay", match, seconds=60)

    async def asked() -> bool:
        return len(shop.simulator.requests) > seen

    error = await ended_during(client, shop, asked, store=STORE, **arguments)
    assert (error["code"], error["retry_safe"], error["money_moved"]) == facts


def test_the_end_of_input_is_not_held_up_by_an_unread_output(home: Path) -> None:  # noqa: F811
    listing = b'{"jsonrpc":"2.0","id":%d,"method":"tools/list","params":{}}\n'
    with subprocess.Popen(
        SERVE, env=environment(home), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin
        assert server.stdout
        server.stdin.write(frames(modern=False) + b"".join(listing % number for number in range(1, 20)))
        server.stdin.close()
        server.stdout.readline()
        server.stdout.close()
        assert server.wait(DEADLINE) == 0
