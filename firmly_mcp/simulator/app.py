"""The HTTP edge: finds the endpoint, asks for the token, lets faults strike, and sends what the endpoint gives.

Whatever an endpoint changed is on disk before a byte of its answer is sent.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from firmly_mcp.simulator import frames, routes, speaking, strikes
from firmly_mcp.simulator.answers import Answer, Refusal
from firmly_mcp.simulator.calls import Call
from firmly_mcp.simulator.control import PREFIX, controlled
from firmly_mcp.simulator.faults import Fault, at
from firmly_mcp.simulator.identity import identified
from firmly_mcp.simulator.stream import Event, Stream
from firmly_mcp.simulator.strikes import Hangup
from firmly_mcp.simulator.wording import reworded
from firmly_mcp.simulator.world import Request, World, anonymous

EVENTS = "text/event-stream; charset=utf-8"


class App:
    """The ASGI application of one host, "api" or "payment"."""

    def __init__(self, world: World, host: str) -> None:
        self._world = world
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the simulator stops; the connection is gone already
            await Exchange(self._world, self._host, scope, receive, send).run()


class Exchange:
    """One request and its answer."""

    def __init__(self, world: World, host: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.world = world
        self._host = host
        self._scope = scope
        self._receive = receive
        self._send = send
        self._method: str = scope["method"]
        self._path: str = scope["path"]
        self._logged = Request(self._method, self._path, host, world.now())

    async def run(self) -> None:
        """Answer, or hang up where a fault says so."""
        if self._host == "api" and self._path.startswith(PREFIX):
            await self._answer(
                await controlled(self.world, self._method, self._path, self._headers, await self._body())
            )
            return
        self.world.requests.append(self._logged)
        try:
            await self._serve()
        except Hangup as hangup:
            self.world.state.commit()
            await self._hang_up(hangup)

    async def _serve(self) -> None:
        found = routes.find(self._host, self._method, self._path)
        name = found[0].name if found else "no_route"
        line = f"{self._method} {self._path}"
        struck = self.world.faults.struck((name, line, f"{self._host} {line}"))
        strikes.at_head(struck)
        body = await self._body(in_parts=bool(at("body", struck)))
        if found is None:
            await self._answer(self._refused(Refusal("RouteNotFound", f"No route {line} on this host")))
            return
        route, params = found
        call = Call(
            self.world, route, self._path, params, QueryParams(self._scope["query_string"]), self._headers, body,
            anonymous(), struck,
        )  # fmt: skip
        result = await self._result(call)
        if isinstance(result, Stream):
            await self._stream(result, struck)
        else:
            self.world.state.commit()
            await self._whole(await strikes.on_answer(result, struck), struck)

    async def _result(self, call: Call) -> Answer | Stream:
        try:
            strikes.turned(call)
            known = identified(call)
            early = await strikes.before(known if isinstance(known, Call) else call)
            if early is not None:
                return early
            if isinstance(known, Refusal):
                return self._refused(known)
            return call.route.handler(known)
        except Refusal as refusal:
            return self._refused(refusal)

    def _refused(self, refusal: Refusal) -> Answer:
        return speaking.refused(refusal, self.world.dialect).answer()

    async def _whole(self, answer: Answer, struck: Sequence[Fault]) -> None:
        said = reworded(speaking.spoken(answer.json, self.world.dialect), self.world.wording)
        answer = replace(answer, json=said)
        keep = strikes.kept_share(struck)
        if keep is None:
            await self._answer(answer)
            return
        raw = answer.encoded()
        await self._start(answer.status, answer.media_type, {**answer.headers, "content-length": str(len(raw))})
        await self._write(raw[: int(len(raw) * keep)])
        raise Hangup(abruptly=False)

    async def _stream(self, stream: Stream, struck: Sequence[Fault]) -> None:
        await self._start(200, EVENTS, {"cache-control": "no-store"})
        bent = frames.Bent(self.world.dialect, at("frames", struck), at("answer", struck))
        gates = self.world.gates
        for number, step in enumerate(frames.to_the_end(stream.steps, self.world.state.commit, self.world.dialect), 1):
            event = Event(step.name, reworded(step.data, self.world.wording))
            passing = gates.before(stream.store)
            for gate in passing:
                await gate.wait()
            for frame in bent.frames(number, event):
                await self._write(frame)
            for gate in passing:
                gate.passed(event.name)
            if bent.cut is not None:
                self._run_out(stream, goes_on=bent.cut)
                raise Hangup(abruptly=False)
            if self.world.step_delay or bent.stall:
                await asyncio.sleep(self.world.step_delay + bent.stall)
        for frame in bent.rest():
            await self._write(frame)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _run_out(self, stream: Stream, *, goes_on: bool) -> None:
        if goes_on:
            for _ in frames.to_the_end(stream.steps, self.world.state.commit, self.world.dialect):
                pass

    @property
    def _headers(self) -> Headers:
        return Headers(scope=self._scope)

    async def _body(self, *, in_parts: bool = False) -> bytes:
        parts = []
        while True:
            message: Message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Hangup(abruptly=True)
            parts.append(message.get("body", b""))
            if in_parts:
                raise Hangup(abruptly=True)
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _answer(self, answer: Answer) -> None:
        self._logged.status = answer.status
        response = Response(answer.encoded(), answer.status, answer.headers, answer.media_type)
        await response(self._scope, self._receive, self._send)

    async def _start(self, status: int, media_type: str, headers: dict[str, str]) -> None:
        self._logged.status = status
        raw = [(name.encode(), value.encode()) for name, value in {"content-type": media_type, **headers}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _write(self, raw: bytes) -> None:
        await self._send({"type": "http.response.body", "body": raw, "more_body": True})

    async def _hang_up(self, hangup: Hangup) -> None:
        transport: Any = self._scope["simulator.transport"]
        if hangup.abruptly:
            transport.abort()
        else:
            transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass
