"""The order stream: named events with JSON data (contract section 7), each sent when its step has happened.

A gate holds events back until it is told to let the next one out, so that a test can see them arrive one by one.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


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
