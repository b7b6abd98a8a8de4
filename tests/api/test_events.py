"""The same bytes give the same events, however they are cut; only an order's number proves an order."""

import gzip
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.api.client import FirmlyClient
from firmly_mcp.api.error_codes import proves_not_placed
from firmly_mcp.api.payments import (
    CreatingCart,
    ItemAdded,
    OrderEvent,
    OrderPlaced,
    ShippingUpdated,
    StreamError,
    UnclearEvent,
    UnknownEvent,
)
from firmly_mcp.api.transport import Http, NoAnswer, Request, Stream
from firmly_mcp.errors import OutcomeUnknown, OutOfStock
from firmly_mcp.simulator import TEST_CARD, Simulator

from .loopback import RESET, SILENCE, chunk, chunked_head, loopback, stream_head
from .shopping import ADDRESS, LUMA, TEE, TRUSTS_NOBODY, client_of, sealed

CART = {"cart_id": "c1", "line_items": [{"description": "Té 🫖", "quantity": 1}]}
ORDER = {"platform_order_number": "L-1"}
PLACED = f"event: order-placed\ndata: {json.dumps({'order': ORDER})}\n\n"

DECLINED = b'event: error\ndata: {"code": 422, "error": "ErrorPaymentDeclined"}\n\n'
GZIPPED = gzip.compress(DECLINED)

WHOLE = (
    "event: creating-cart\ndata: {}\n\n: keep-alive\n\nid: 7\nretry: 10\n\n"
    + f"event: item-added\ndata: {json.dumps({'cart': CART}, ensure_ascii=False)}\n\n"
    + "event: shipping-updated\n"
    + "".join(f"data: {line}\n" for line in json.dumps({"cart": CART}, indent=1).split("\n"))
    + "\n:\nevent: gift-wrapped\ndata: yes\n\n"
    + PLACED
)  # fmt: skip
KINDS = [CreatingCart, ItemAdded, ShippingUpdated, UnknownEvent, OrderPlaced]


async def told(*steps: object, content_type: str = "text/event-stream") -> tuple[list[OrderEvent], bool]:
    """The events of a stream that is sent in these chunks to its last one, and whether it ended without proof.

    A step that is no bytes takes the place of the last chunk.
    """
    sent = [chunk(step) if isinstance(step, bytes) else step for step in steps]
    return await heard(chunked_head(content_type), *sent, chunk(b""))


async def heard(*steps: object) -> tuple[list[OrderEvent], bool]:
    """The events of an answer that is sent in these steps, and whether it ended without proof."""
    events: list[OrderEvent] = []
    with tempfile.TemporaryDirectory() as locks:
        async with (
            loopback(lambda _: steps) as server,
            client_of(server.url, Path(locks)) as client,
        ):
            try:
                async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, "jwe") as stream:
                    async for event in stream:
                        events.append(event)  # noqa: PERF401 - a list that is made at once is lost with an error
            except OutcomeUnknown:
                return events, True
            finally:
                assert len(server.asked) == 1
    return events, False


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(content) + 1) for place in places}), len(content)]
    return [content[start:end] for start, end in pairwise(edges) if start != end]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.lists(st.integers(0, 10_000), max_size=12),
    st.sampled_from(["text/event-stream", "text/event-stream; charset=utf-8", "Text/Event-Stream;charset=UTF-8"]),
)
def test_any_chunks_of_the_same_bytes_give_the_same_events(
    ending: str, mark: bool, places: list[int], content_type: str
) -> None:
    content = ("\ufeff" * mark + WHOLE.replace("\n", ending)).encode()

    async def stream() -> tuple[list[OrderEvent], bool]:
        return await told(*cut(content, places), content_type=content_type)

    events, doubtful = anyio.run(stream)
    assert not doubtful
    assert [type(event) for event in events] == KINDS
    added = next(event for event in events if isinstance(event, ItemAdded))
    assert added.cart.line_items[0].description == "Té 🫖"


@pytest.mark.anyio
@pytest.mark.parametrize("after", range(len(WHOLE.split("\n\n")) - 1))
async def test_a_stream_that_is_cut_after_any_event_proves_nothing(after: int) -> None:
    begun = "\n\n".join(WHOLE.split("\n\n")[:after]) + "\n\n"
    for ending in ([RESET], [PLACED.encode()[:-1]], [PLACED.encode().replace(b"\n", b"\r")[:-1]]):
        events, doubtful = await told(begun.encode(), *ending)
        assert doubtful
        assert not any(isinstance(event, OrderPlaced | StreamError) for event in events)


@pytest.mark.anyio
@pytest.mark.parametrize("ending", [SILENCE, RESET])
async def test_an_order_counts_whatever_follows_it(ending: object) -> None:
    events, doubtful = await told(PLACED.encode(), b"event: error\ndata: {}\n\n", ending)
    assert ([type(event) for event in events], doubtful) == ([OrderPlaced, UnclearEvent], False)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "steps",
    [
        [stream_head(), DECLINED],
        [stream_head(), PLACED.encode()[:-1]],
        [chunked_head(), chunk(DECLINED)],
        [chunked_head(), chunk(DECLINED), RESET],
        [chunked_head(), chunk(DECLINED), b"5\r\n: w"],
        [chunked_head(), chunk(DECLINED), b"oops\r\n"],
        [chunked_head(), chunk(DECLINED + b"event: gift-wr"), chunk(b"")],
        [chunked_head(), chunk(DECLINED + b": still working\n"), chunk(b"")],
        [chunked_head(), chunk(DECLINED[:-1]), chunk(b"")],
        [chunked_head(), chunk(DECLINED.replace(b"\n", b"\r")[:-1]), chunk(b"")],
        [chunked_head("text/event-stream\r\ncontent-encoding: gzip"), chunk(GZIPPED[:-4]), chunk(b"")],
        [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n", DECLINED],
    ],
)
async def test_an_end_that_may_be_a_cut_is_no_end(steps: list[object]) -> None:
    events, doubtful = await heard(*steps)
    assert doubtful
    assert not any(isinstance(event, OrderPlaced) for event in events)


@pytest.mark.anyio
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
async def test_a_last_chunk_or_a_length_after_a_whole_event_is_an_end(ending: str) -> None:
    declined = DECLINED.replace(b"\n", ending.encode())
    length = f"content-length: {len(declined)}\r\n\r\n".encode()
    for steps in (
        [chunked_head(), chunk(declined), chunk(b"")],
        [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" + length + declined],
    ):
        events, doubtful = await heard(*steps)
        assert ([type(event) for event in events], doubtful) == ([StreamError], False)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("data", "proven"),
    [
        ('{"code":422,"error":"ErrorNotEnoughStock","description":"no"}', True),
        ('{"error":{"code":422,"error":"ErrorNotEnoughStock"}}', True),
        ('{"error":"ErrorNotEnoughStock"}', True),
        ('{"code":500,"error":"ErrorNotEnoughStock"}', False),
        ('{"code":"500","error":"ErrorNotEnoughStock"}', False),
        ('{"code":4220,"error":"ErrorNotEnoughStock"}', False),
        ('{"error":"ErrorNotEnoughStock","order":{"platform_order_number":"L-1"}}', False),
        ('{"error":"ErrorNotEnoughStock","cart":{"cart_status":"Submitted"}}', False),
    ],
)
async def test_an_error_event_is_proof_by_its_name(data: str, proven: bool) -> None:
    events, _ = await told(f"event: error\ndata: {data}\n\n".encode())
    assert isinstance(events[-1], StreamError)
    assert isinstance(events[-1].error, OutOfStock)
    assert proves_not_placed(events[-1].error) is proven


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["order-placed", "error"])
@pytest.mark.parametrize(
    "data", ["", "{", "null", "[]", "{}", '{"order": {}}', '{"order": 7}', '{"error": 7}', "[" * 9999]
)
async def test_an_outcome_that_cannot_be_read_is_unclear_and_the_stream_is_read_on(name: str, data: str) -> None:
    events, doubtful = await told(f"event: {name}\ndata: {data}\n\n".encode(), PLACED.encode())
    assert ([type(event) for event in events], doubtful) == ([UnclearEvent, OrderPlaced], False)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("error", '{"error":"ErrorCheckout","error":"ErrorPaymentDeclined"}'),
        ("shipping-updated", '{"cart":{"platform_order_number":"L-1"}}'),
        ("item-added", '{"cart":{"cart_status":"submitted"}}'),
        ("creating-cart", '{"order":{"platform_order_number":7}}'),
        ("order-confirmed", '{"order":{"platform_order_number":"L-1"}}'),
        ("order-confirmed", '[{"order":{"platform_order_number":"L-1"}}]'),
    ],
)
async def test_an_event_that_may_concern_an_order_is_unclear(name: str, data: str) -> None:
    events, _ = await told(f"event: {name}\ndata: {data}\n\n".encode())
    assert events == [UnclearEvent(name)]


@pytest.mark.anyio
@pytest.mark.parametrize("data", ["", "{", "null", '{"cart": 7}', '{"cart": {"cart_id": {}}}'])
async def test_a_step_that_cannot_be_read_is_unknown_and_the_order_goes_on(data: str) -> None:
    events, doubtful = await told(f"event: item-added\ndata: {data}\n\n{PLACED}".encode())
    assert [type(event) for event in events] == [UnknownEvent, OrderPlaced]
    assert not doubtful


@pytest.mark.anyio
async def test_an_event_beyond_all_bounds_proves_nothing() -> None:
    begun = b'event: order-placed\ndata: {"order": {"platform_order_number": "L-1", "padding": "'
    assert await told(begun, *[b"x" * 1_000_000] * 5, b'"}}\n\n') == ([], True)


@pytest.mark.anyio
async def test_an_event_beyond_all_bounds_after_an_error_is_no_proper_end() -> None:
    events, doubtful = await told(DECLINED, b"event: order-placed\ndata: ", *[b"x" * 1_000_000] * 5)
    assert ([type(event) for event in events], doubtful) == ([StreamError], True)


@pytest.mark.anyio
async def test_events_in_another_encoding_are_events() -> None:
    events, doubtful = await told(b'event: item-added\ndata: {"cart": {"display_name": "\xff"}}\n\n' + PLACED.encode())
    assert [type(event) for event in events] == [ItemAdded, OrderPlaced]
    assert not doubtful


@pytest.mark.anyio
async def test_a_stream_that_falls_silent_ends_in_time() -> None:
    async with (
        loopback(lambda _: [stream_head(), b": hello\n\n", SILENCE]) as server,
        Http(verify=TRUSTS_NOBODY) as http,
        http.stream_alone(Request("POST", server.url, body={}), seconds=0.5) as stream,
    ):
        assert isinstance(stream, Stream)
        with pytest.raises(NoAnswer, match="in time"):
            await stream.next_event()


@pytest.mark.anyio
async def test_each_event_arrives_before_the_next_is_sent(sim: Simulator, client: FirmlyClient) -> None:
    card = sealed(await client.payment_key(), TEST_CARD)
    gate = sim.hold_events(LUMA)
    names: list[str] = []
    placing = client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, card)
    with anyio.fail_after(10):
        async with placing as events, anyio.create_task_group() as tasks:
            tasks.start_soon(gate.release)
            async for event in events:
                names.append(type(event).__name__)
                if not isinstance(event, OrderPlaced):
                    tasks.start_soon(gate.release)
    assert names == ["CreatingCart", "ItemAdded", "ShippingUpdated", "OrderPlaced"]
    assert len(sim.books.charges) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_a_stream_cut_at_the_simulator_proves_nothing(sim: Simulator, client: FirmlyClient, after: int) -> None:
    card = sealed(await client.payment_key(), TEST_CARD)
    sim.faults.add("cut-stream", "place_order_v2", after=after)
    async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, card) as events:
        with pytest.raises(OutcomeUnknown):
            assert not [event async for event in events if isinstance(event, OrderPlaced)]
