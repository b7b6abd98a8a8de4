"""What faults do to a request, moment by moment (see `faults`). The stream's own stand in `frames`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.cash import with_total
from firmly_mcp.simulator.faults import WORLD, Fault, at
from firmly_mcp.simulator.turning import turn


class Hangup(Exception):
    """Close the connection without (the rest of) an answer; `abruptly` resets it."""

    def __init__(self, *, abruptly: bool) -> None:
        super().__init__("hang up")
        self.abruptly = abruptly


def at_head(faults: Sequence[Fault]) -> None:
    """Nothing of the body was read."""
    if at("head", faults):
        raise Hangup(abruptly=True)


def turned(call: Call) -> None:
    """The world changes before anything else is looked at."""
    for fault in at("before", call.faults):
        if fault.action in WORLD:
            turn(call.world, fault)


async def before(call: Call) -> Answer | None:
    """Everything was read and nothing done; an answer given here is the endpoint's."""
    answer = None
    for fault in at("before", call.faults):
        if fault.action == "delay":
            await asyncio.sleep(fault.options["seconds"])
        elif fault.action not in WORLD:
            answer = _refused(call, fault)
    return answer


def _refused(call: Call, fault: Fault) -> Answer:
    told = fault.options
    match fault.action:
        case "reset-after-body":
            raise Hangup(abruptly=True)
        case "notice":
            cart = call.world.carts.current(call.device.device_id, call.params.get("d", ""))
            return Answer({**({} if cart is None else call.world.view(cart)), "notice": [told["notice"]]})
        case "rate-limit":
            raise Refusal("RateLimitExceeded", "Too many requests", retry_after=told["retry_after"])
        case _:
            description = told.get("description", "Refused on request")
            raise Refusal(told["error"], description, status=told.get("status"))


async def on_answer(answer: Answer, faults: Sequence[Fault]) -> Answer:
    """Everything was done and is on disk."""
    for fault in at("answer", faults):
        match fault.action:
            case "lose-answer":
                raise Hangup(abruptly=False)
            case "delay-answer":
                await asyncio.sleep(fault.options["seconds"])
            case "refuse-after" | "gateway-timeout":
                answer = instead(fault)
            case "lie-amount" if isinstance(answer.json, dict):
                answer = replace(answer, json=with_total(answer.json, fault.options["cents"]))
            case "not-json":
                answer = replace(answer, body=fault.options["body"].encode())
    return answer


def instead(fault: Fault) -> Answer:
    """The error that hides what was done."""
    told = fault.options
    if fault.action == "gateway-timeout":
        page = b"<html><head><title>504 Gateway Time-out</title></head></html>"
        return Answer(body=page, status=504, media_type="text/html")
    return Refusal(told["error"], told["description"], status=told["status"]).answer()


def kept_share(faults: Sequence[Fault]) -> float | None:
    """How much of the body goes out before the connection closes; None: all of it."""
    return next((fault.options["keep"] for fault in faults if fault.action == "truncate"), None)
