"""The order stream: named events with JSON data (contract section 7), each sent when its step is done and on disk.

A gate holds events back until a test releases them one by one. Faults change the frames of a stream. An Encoder is how
answers and frames are written.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from firmly_mcp.simulator.answers import Answer, Json, Refusal, with_total
from firmly_mcp.simulator.faults import Fault

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a step."""

    name: str
    data: Json

    def frame(self) -> bytes:
        """Return the event as it is sent."""
        return frame(self.name, json.dumps(self.data, separators=(",", ":")))


def frame(name: str, data: str) -> bytes:
    """Return a named event in the wire form of `text/event-stream`."""
    return f"event: {name}\ndata: {data}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is still being made: taking the next event does the next step. Its gates are those of `store`."""

    store: str
    steps: Iterator[Event]


class Encoder:
    """How endpoints run and their answers are written. Tests replace it to take the other documented ways."""

    def respond(self, handler: Callable[[C], Answer | Stream], call: C) -> Answer | Stream:
        """Run the endpoint of a call."""
        return handler(call)

    def body(self, body: Any) -> Any:
        """Return a JSON body as it is sent."""
        return body

    def refusal(self, refusal: Refusal) -> Refusal:
        """Return a refusal as it is sent."""
        return refusal

    def error_data(self, refusal: Refusal) -> Json:
        """Return the data of a stream's error event."""
        return refusal.envelope()

    def frames(self, frames: list[bytes]) -> list[bytes]:
        """Return the frames of one event as they are sent."""
        return frames


class Gate:
    """Holds the events of one store, or of all, until it is released or left."""

    def __init__(self, store: str | None) -> None:
        self.store = store
        self._permits = asyncio.Semaphore(0)
        self._passed: asyncio.Queue[str] = asyncio.Queue()
        self._open = False

    async def release(self) -> str:
        """Let exactly one event pass, and return its name once it is sent."""
        self._permits.release()
        return await self._passed.get()

    def open(self) -> None:
        """Let every event pass."""
        self._open = True
        self._permits.release()

    async def wait(self) -> None:
        """Wait until an event may pass."""
        if not self._open:
            await self._permits.acquire()
        if self._open:
            self._permits.release()

    def passed(self, name: str) -> None:
        """Note that the event that was let through is sent."""
        self._passed.put_nowait(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.open()


def committed(steps: Iterator[Event], commit: Callable[[], None], encode: Encoder) -> Iterator[Event]:
    """Return the events of the steps, each on disk before it is returned; a refusal is the last, as `error` (7.2)."""
    try:
        for event in steps:
            commit()
            yield Event(event.name, encode.body(event.data))
    except Refusal as refusal:
        commit()
        yield Event("error", encode.body(encode.error_data(refusal)))


class FaultedFrames:
    """The frames of a stream under faults. `cut` is set when the stream ends here: True if the order goes on."""

    def __init__(self, encode: Encoder, faults: Sequence[Fault], answer_faults: Sequence[Fault]) -> None:
        self._encode = encode
        self._faults = faults
        self._answer_faults = answer_faults
        self._late: list[bytes] = []
        self.cut: bool | None = None
        self.stall = 0.0

    def of(self, number: int, event: Event) -> list[bytes]:
        """Return what is sent for the event of this number, counted from 1."""
        frames, late = [self._final(event).frame()], self._late
        self._late = []
        for fault in self._faults:
            frames = self._faulted(fault, number, event, frames)
        if event.name == "order-placed" and any(fault.action == "lose-answer" for fault in self._answer_faults):
            self.cut, frames = False, []
        return self._encode.frames([*frames, *late])

    def rest(self) -> list[bytes]:
        """Return the frames that a swap held back until the end."""
        return self._encode.frames(self._late) if self._late else []

    def _faulted(self, fault: Fault, number: int, event: Event, frames: list[bytes]) -> list[bytes]:
        options = fault.options
        match fault.action:
            case "cut-stream" if number >= options["after"]:
                self.cut = options["goes_on"]
                frames = frames if number == options["after"] else []
            case "stall-stream":
                self.stall = options["seconds"] if number == options["after"] else 0.0
            case "repeat-event" if number == options["event"]:
                frames = frames * 2
            case "swap-events" if number == options["event"]:
                self._late, frames = frames, []
            case "unknown-event" if number == options["before"]:
                frames = [frame("warehouse-singing", '{"song":"la"}'), *frames]
            case "malformed-event" if number == options["event"]:
                frames = [frame(event.name, '{"cart":')]
            case "error-before" | "error-after" | "error-then-cut" if event.name == options["event"]:
                frames = self._with_error(fault, frames)
        return frames

    def _with_error(self, fault: Fault, frames: list[bytes]) -> list[bytes]:
        error = self._error(fault, "Refused on request").frame()
        if fault.action == "error-then-cut":
            self.cut = fault.options["goes_on"]
            return [error]
        return [error, *frames] if fault.action == "error-before" else [*frames, error]

    def _error(self, fault: Fault, description: str) -> Event:
        refusal = Refusal(fault.options["error"], description, status=fault.options.get("status"))
        return Event("error", self._encode.error_data(refusal))

    def _final(self, event: Event) -> Event:
        """Return the last event as a fault of the answer changes it; every other event as it is."""
        for fault in self._answer_faults if event.name == "order-placed" else ():
            if fault.action == "refuse-after":
                return self._error(fault, fault.options["description"])
            if fault.action == "lie-amount":
                order = with_total(event.data["order"], fault.options["cents"])
                event = Event(event.name, {**event.data, "order": order})
        return event
