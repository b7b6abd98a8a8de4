"""The order stream: named events with JSON data (contract section 7), each sent when its step has happened.

A gate holds events back until it is told to let the next one out, so that a test can see them arrive one by one.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from firmly_mcp.simulator.answers import Answer, Json, Refusal, with_total
from firmly_mcp.simulator.faults import Fault

C = TypeVar("C")


def framed(name: str, data: str) -> bytes:
    """A named event in the wire form of `text/event-stream`."""
    return f"event: {name}\ndata: {data}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is what its step knows."""

    name: str
    data: dict[str, Any]

    def frame(self) -> bytes:
        """The event as it is sent."""
        return framed(self.name, json.dumps(self.data, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that is still being made: taking the next event does the next step. `store` is whose gate it passes."""

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
        """Let exactly one event out; returns its name once it was sent."""
        self._permits.release()
        return await self._passed.get()

    def open(self) -> None:
        """Hold nothing any more."""
        self._open = True
        self._permits.release()

    async def wait(self) -> None:
        """Stand before the gate."""
        if not self._open:
            await self._permits.acquire()
        if self._open:
            self._permits.release()

    def passed(self, name: str) -> None:
        """The event that was let out is on its way."""
        self._passed.put_nowait(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()


class Gates:
    """All gates that hold something."""

    def __init__(self) -> None:
        self._gates: list[Gate] = []

    def hold(self, store: str | None) -> Gate:
        """From now on nothing of this store, or of any, goes out unreleased."""
        gate = Gate(store)
        self._gates.append(gate)
        return gate

    def number(self, gate: Gate) -> int:
        """What another process calls a gate."""
        return self._gates.index(gate)

    def numbered(self, number: int) -> Gate:
        """The gate of a number."""
        return self._gates[number]

    def before(self, store: str) -> list[Gate]:
        """The gates that an event of a store has to pass."""
        return [gate for gate in self._gates if gate.store in {None, store}]


_ERRORS = frozenset({"error-before", "error-after", "error-then-cut"})


def to_the_end(steps: Iterator[Event], commit: Callable[[], None], encode: Encoder) -> Iterator[Event]:
    """The events of the steps, each on disk when it is given; a refusal is the last one, as `error` (7.2)."""
    try:
        for event in steps:
            commit()
            yield Event(event.name, encode.body(event.data))
    except Refusal as refusal:
        commit()
        yield Event("error", encode.body(encode.error_data(refusal)))


class Bent:
    """Frames after the faults had their way. `cut` is set when the stream ends here: does the order go on?"""

    def __init__(self, encode: Encoder, faults: Sequence[Fault], answers: Sequence[Fault]) -> None:
        self._encode = encode
        self._faults = faults
        self._answers = answers
        self._late: list[bytes] = []
        self.cut: bool | None = None
        self.stall = 0.0

    def frames(self, number: int, event: Event) -> list[bytes]:
        """What is sent for the event of this number, counted from 1."""
        frames = [self._last(event).frame()]
        late, self._late = self._late, []
        for fault in self._faults:
            if fault.action in _ERRORS:
                frames = self._with_error(fault, event, frames)
            else:
                frames = self._bent(fault, number, event, frames)
        if event.name == "order-placed" and any(fault.action == "lose-answer" for fault in self._answers):
            self.cut, frames = False, []
        return self._encode.frames([*frames, *late])

    def rest(self) -> list[bytes]:
        """What was held back and never overtaken."""
        return self._encode.frames(self._late) if self._late else []

    def _bent(self, fault: Fault, number: int, event: Event, frames: list[bytes]) -> list[bytes]:
        told = fault.options
        match fault.action:
            case "cut-stream" if number >= told["after"]:
                self.cut = told["goes_on"]
                return frames if number == told["after"] else []
            case "stall-stream":
                self.stall = told["seconds"] if number == told["after"] else 0.0
            case "repeat-event" if number == told["event"]:
                return frames * 2
            case "swap-events" if number == told["event"]:
                self._late = frames
                return []
            case "unknown-event" if number == told["before"]:
                return [framed("warehouse-singing", '{"song":"la"}'), *frames]
            case "malformed-event" if number == told["event"]:
                return [framed(event.name, '{"cart":')]
        return frames

    def _with_error(self, fault: Fault, event: Event, frames: list[bytes]) -> list[bytes]:
        told = fault.options
        if event.name != told["event"]:
            return frames
        error = self._error(Refusal(told["error"], "Refused on request")).frame()
        if fault.action == "error-then-cut":
            self.cut = told["goes_on"]
            return [error]
        return [error, *frames] if fault.action == "error-before" else [*frames, error]

    def _error(self, refusal: Refusal) -> Event:
        return Event("error", self._encode.error_data(refusal))

    def _last(self, event: Event) -> Event:
        """The order behind an error, where a fault wants that."""
        for fault in self._answers if event.name == "order-placed" else ():
            told = fault.options
            if fault.action == "refuse-after":
                return self._error(Refusal(told["error"], told["description"], status=told["status"]))
            if fault.action == "lie-amount":
                event = Event(event.name, {**event.data, "order": with_total(event.data["order"], told["cents"])})
        return event
