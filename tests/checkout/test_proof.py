"""What an answer to an order request proves: only the whole of it does, and an order counts for more than any error."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmly_mcp.api.error_codes import error_from_response, invalid_request
from firmly_mcp.api.models import Order
from firmly_mcp.api.payments import OrderEvent, OrderPlaced, StreamResult, read_to_end
from firmly_mcp.checkout.models import Item, Outcome, State
from firmly_mcp.checkout.proof import outcome_of_answer, outcome_of_error
from firmly_mcp.checkout.requests import ItemsOrder
from firmly_mcp.errors import OutcomeUnknown, Unreachable
from tests.api.loopback import RESET, chunk, chunked_head, loopback, stream_head
from tests.api.shopping import ADDRESS, LUMA, TEE, client_of


def event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()


# One letter stands for each thing that a stream may hold.
SENT: Final = {
    "s": event("item-added", '{"cart": {"cart_id": "c1"}}'),
    "u": event("gift-wrapped", '{"paper": "blue"}'),
    "c": b": still working\n\n",
    "i": b"id: 7\nretry: 10\n\n",
    "r": event("error", '{"code": 422, "error": "ErrorPaymentDeclined"}'),
    "R": event("error", '{"error": {"error": "ErrorNotEnoughStock", "description": "none left"}}'),
    "e": event("error", '{"code": 503, "error": "ErrorStoreUnavailable"}'),
    "E": event("error", '{"code": 500, "error": "ErrorPaymentDeclined"}'),
    "x": event("error", '{"error": '),
    "y": event("order-placed", '{"order": '),
    "z": event("order-placed", '{"order": {"cart_id": "c1"}}'),
    "Z": event("shipping-updated", '{"cart": {"platform_order_number": "L-9"}}'),
    "1": event("order-placed", '{"order": {"platform_order_number": "L-1", "cart_id": "c1"}}'),
    "2": event("order-placed", '{"order": {"platform_order_number": "L-2"}}'),
}
# How a stream may end: at its last chunk, at a reset, without a mark, or within an event.
ENDINGS: Final = ("whole", "reset", "unmarked", "half")


def proven(letters: str, ending: str) -> tuple[State, str | None]:
    """The outcome by the design's section 5, read off the letters."""
    if order := re.search("[12]", letters):
        return State.PLACED, f"L-{order[0]}"
    refused = ending == "whole" and re.fullmatch("[suci]*[rR][rRci]*", letters)
    return (State.NOT_PLACED if refused else State.UNKNOWN), None


def in_pieces(content: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(content) + 1) for place in places}), len(content)]
    return [content[start:end] for start, end in pairwise(edges) if start != end]


async def read(letters: str, ending: str, places: Sequence[int] = (), line_end: str = "\n") -> StreamResult:
    """What a stream of these letters holds."""
    content = b"".join(SENT[letter] for letter in letters) + (SENT["1"][:-1] if ending == "half" else b"")
    content = content.replace(b"\n", line_end.encode())
    pieces = in_pieces(content, places)
    if ending == "unmarked":
        steps: list[object] = [stream_head(), *pieces]
    else:
        steps = [chunked_head(), *map(chunk, pieces), RESET if ending == "reset" else chunk(b"")]
    with tempfile.TemporaryDirectory() as locks:
        async with loopback(lambda _: steps) as server, client_of(server.url, Path(locks)) as client:
            try:
                async with client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, "jwe") as events:
                    return await read_to_end(events, lambda _: None)
            except OutcomeUnknown as failure:
                # The reset overtook the head.
                return StreamResult(broken=failure.message)


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from(sorted(SENT)), max_size=6) | st.from_regex("[suci]{0,2}[rR][rReciu]{0,2}", fullmatch=True),
    st.sampled_from(ENDINGS),
    st.lists(st.integers(0, 2000), max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_stream_proves_what_the_whole_of_it_proves_however_it_is_cut_into_chunks(
    letters: str, ending: str, places: list[int], line_end: str
) -> None:
    async def outcome() -> Outcome:
        return outcome_of_answer(await read(letters, ending, places, line_end))

    found = anyio.run(outcome)
    state, number = proven(letters, ending)
    if ending == "reset" and found.state is State.UNKNOWN:
        return  # A reset may overtake the order that was sent before it.
    assert (found.state, found.order_number) == (state, number)


@pytest.mark.anyio
@pytest.mark.parametrize("letters", ["r1", "sR1", "rr1", "e1", "x1", "y1", "1r", "1R", "1u", "1x", "ru1"])
@pytest.mark.parametrize("ending", ["whole", "unmarked", "half"])
async def test_an_order_counts_whatever_error_comes_before_or_after_it(letters: str, ending: str) -> None:
    outcome = outcome_of_answer(await read(letters, ending))
    assert (outcome.state, outcome.order_number) == (State.PLACED, "L-1")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("letters", "ending"),
    [
        ("r", "reset"), ("r", "unmarked"), ("r", "half"), ("ru", "whole"), ("rs", "whole"), ("re", "whole"),
        ("er", "whole"), ("rx", "whole"), ("xr", "whole"), ("yr", "whole"), ("zr", "whole"), ("Zr", "whole"),
        ("rZ", "whole"), ("E", "whole"), ("e", "whole"), ("", "whole"), ("s", "whole"), ("sy", "whole"),
    ],
)  # fmt: skip
async def test_an_error_that_is_not_the_whole_end_of_a_stream_proves_nothing(letters: str, ending: str) -> None:
    outcome = outcome_of_answer(await read(letters, ending))
    assert (outcome.state, outcome.order_number) == (State.UNKNOWN, None)
    assert "nothing was charged" not in outcome.reason


@pytest.mark.anyio
@pytest.mark.parametrize("letters", ["r", "R", "sr", "usr", "rr", "rR", "rc", "ir", "ri"])
async def test_a_refusal_at_the_proper_end_of_a_stream_proves_that_nothing_was_placed(letters: str) -> None:
    outcome = outcome_of_answer(await read(letters, "whole"))
    assert outcome.state is State.NOT_PLACED
    assert outcome.error_name in {"ErrorPaymentDeclined", "ErrorNotEnoughStock"}


@pytest.mark.anyio
async def test_a_second_order_number_is_stated_and_the_first_one_counts() -> None:
    outcome = outcome_of_answer(await read("121", "whole"))
    assert (outcome.state, outcome.order_number) == (State.PLACED, "L-1")
    assert "charged twice" in outcome.reason
    assert outcome_of_answer(await read("11", "whole")).reason == ""


def test_an_order_number_of_nothing_that_can_be_shown_proves_nothing() -> None:
    error = error_from_response(422, {"code": 422, "error": "ErrorPaymentDeclined"}, {}, order=True)
    for stream in (StreamResult(), StreamResult(error=error)):
        outcome = outcome_of_answer(stream.after(OrderPlaced(Order(platform_order_number="\u200b"))))
        assert (outcome.state, outcome.order_number) == (State.UNKNOWN, None)
        assert "no order number" in outcome.reason


@pytest.mark.anyio
async def test_an_error_in_a_stream_is_a_step_that_confirms_nothing(tmp_path: Path) -> None:
    class Senders:
        async def of_attempt(self, attempt_id: str) -> object:
            return client

    steps = [chunked_head(), *(chunk(SENT[letter]) for letter in "sr1"), chunk(b"")]
    async with loopback(lambda _: steps) as server, client_of(server.url, tmp_path) as client:
        purchase = ItemsOrder(LUMA, (Item("WS12-XS-Orange", 1),), ADDRESS, client, Senders())  # type: ignore[arg-type]  # one device for all attempts
        await purchase.prepare("att_1")
        told: list[object] = []
        result = await purchase.send("a.b.c.d.e", ADDRESS, None, told.append, anyio.lowlevel.checkpoint)
    assert [(step.name, step.money_moved) for step in told] == [  # type: ignore[attr-defined]  # steps
        ("item-added", "unknown"),
        ("error", "unknown"),
        ("order-placed", "yes"),
    ]
    assert outcome_of_answer(result).state is State.PLACED


@pytest.mark.anyio
async def test_a_failure_of_ours_after_an_order_does_not_hide_the_order() -> None:
    def fail(event: OrderEvent) -> None:
        raise OSError(event)

    steps = [chunked_head(), chunk(SENT["1"]), chunk(b"")]
    with tempfile.TemporaryDirectory() as locks:
        async with (
            loopback(lambda _: steps) as server,
            client_of(server.url, Path(locks)) as client,
            client.place_order(LUMA, [(TEE, 1)], ADDRESS, ADDRESS, "jwe") as events,
        ):
            assert outcome_of_answer(await read_to_end(events, fail)).order_number == "L-1"


def test_an_error_outcome_is_not_placed_only_where_nothing_was_sent_or_the_refusal_is_proven() -> None:
    declined = {"code": 422, "error": "ErrorPaymentDeclined"}
    assert outcome_of_error(Unreachable("Nothing was sent.")).state is State.NOT_PLACED
    assert outcome_of_error(invalid_request("InvalidStore", "no")).state is State.NOT_PLACED
    assert outcome_of_error(error_from_response(422, declined, {}, order=True)).state is State.NOT_PLACED
    for answer in (declined | {"code": 500}, declined | {"platform_order_number": "L-1"}):
        outcome = outcome_of_error(error_from_response(422, answer, {}, order=True))
        assert outcome.state is State.UNKNOWN
        assert "nothing was charged" not in outcome.reason
