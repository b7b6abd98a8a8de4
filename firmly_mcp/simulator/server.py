"""The simulator as Python code holds it. What it is made of is imported when it starts."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from firmly_mcp.simulator.control import ask

if TYPE_CHECKING:
    from collections import deque

    from filelock import BaseFileLock
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from firmly_mcp.simulator.faults import Faults
    from firmly_mcp.simulator.ledger import Books
    from firmly_mcp.simulator.stream import Encoder, Gate
    from firmly_mcp.simulator.world import Received, Request, World

LOCK = "simulator.lock"


class AlreadyRunning(RuntimeError):
    """Another simulator holds this data directory."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class Simulator:
    """Firmly and its stores on loopback, for as long as the `async with` lasts.

    With a `data_dir` everything outlives it: the next start goes on from the same books. `now` is its clock,
    `seed` grows its products, `stores` is how many there are, `step_delay` is how many seconds pass between two
    events of an order stream, `encode` writes its answers.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        seed: int = 0,
        stores: int = 4,
        step_delay: float = 0.0,
        api_port: int = 0,
        payment_port: int = 0,
        encode: "Encoder | None" = None,
    ) -> None:
        self._data_dir = data_dir
        self._now, self._seed, self._stores, self._step_delay = now, seed, stores, step_delay
        self._ports = (api_port, payment_port)
        self._encode = encode
        self._lock: BaseFileLock | None = None
        self._listeners: list[Listener] = []
        self._running: World | None = None

    async def __aenter__(self) -> Self:
        self._lock = _locked(self._data_dir)
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def runs(self) -> bool:
        """Whether it is running, here."""
        return self._running is not None

    @property
    def world(self) -> "World":
        """Everything inside; there while it runs."""
        if self._running is None:
            raise RuntimeError("the simulator is not running")
        return self._running

    @property
    def api_url(self) -> str:
        """The base URL of everything but payment."""
        return self.world.api_url

    @property
    def payment_url(self) -> str:
        """The base URL of payment (Firmly's cc host)."""
        return self.world.payment_url

    @property
    def app_id(self) -> str:
        """The App ID it accepts."""
        return self.world.app_id

    @property
    def server_secret(self) -> str:
        """The server-to-server secret it accepts for discovery."""
        return self.world.server_secret

    @property
    def control_secret(self) -> str:
        """What the control path asks for."""
        return self.world.control_secret

    @property
    def books(self) -> "Books":
        """What was charged."""
        return self.world.books

    @property
    def received(self) -> "deque[Received]":
        """What payment requests carried: shapes and names, no values."""
        return self.world.received

    @property
    def requests(self) -> "deque[Request]":
        """The last requests: neither headers nor bodies."""
        return self.world.requests

    @property
    def faults(self) -> "Faults":
        """Faults that wait for their requests."""
        return self.world.faults

    def hold_events(self, store: str | None = None) -> "Gate":
        """Hold back the events of order streams; `await gate.release()` lets one out and returns its name."""
        return self.world.gates.hold(store)

    def rotate_key(self, *, same_kid: bool = False) -> str:
        """Replace the payment key, under a new kid or under the old one; gives the kid."""
        kid = self.world.keys.rotate(same_kid=same_kid)
        self.world.state.commit()
        return kid

    def advance(self, by: timedelta) -> None:
        """Move the clock."""
        self.world.advance(by)
        self.world.state.commit()

    def set_price(self, store: str, sku: str, cents: int | None) -> None:
        """Change a unit price, in cents; None gives the first one back."""
        self.world.stock.set_price(store, sku, cents)
        self.world.state.commit()

    def set_stock(self, store: str, sku: str, left: int | None) -> None:
        """Leave so many of a variant; None gives the first stock back."""
        self.world.stock.set_stock(store, sku, left)
        self.world.state.commit()

    def send_back(self, order_number: str) -> None:
        """A whole order comes back to its store from now on, and is refunded in four days."""
        self.world.orders.send_back(order_number, self.world.now())
        self.world.state.commit()

    @staticmethod
    def join_or_run(
        data_dir: Path, *, stores: int = 4, step_delay: float = 0.0
    ) -> AbstractAsyncContextManager["Joined"]:
        """Run the data directory's simulator, or use the one that runs already (see `joining`)."""
        return join_or_run(data_dir, stores=stores, step_delay=step_delay)

    async def _start(self) -> None:
        from firmly_mcp.simulator.app import App
        from firmly_mcp.simulator.world import World

        world = await asyncio.to_thread(
            World,
            self._data_dir,
            now=self._now,
            seed=self._seed,
            stores=self._stores,
            step_delay=self._step_delay,
            encode=self._encode,
        )
        self._running = world
        wished: Sequence[int] = world.state.value("ports", lambda: [0, 0])
        for host, port, wish in zip(("api", "payment"), self._ports, wished, strict=True):
            listener = Listener(App(world, host))
            self._listeners.append(listener)
            await listener.start(port, wish)
        world.api_url, world.payment_url = (listener.url for listener in self._listeners)
        world.state.set_value("ports", [listener.port for listener in self._listeners])
        world.state.commit()

    async def _stop(self) -> None:
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            await listener.stop()
        if self._running is not None:
            self._running.state.close()
        self._running = None
        if self._lock is not None:
            self._lock.release()


def _locked(data_dir: Path | None) -> "BaseFileLock | None":
    if data_dir is None:
        return None
    from filelock import FileLock, Timeout

    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    lock = FileLock(data_dir / LOCK, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning(f"a simulator is running in {data_dir}") from None
    return lock


FILE = "simulator.json"
PATIENCE = 15.0
PAUSE = 0.05
STAND_BY_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Joined:
    """The simulator of a data directory. `running_here` tells whether this process runs it."""

    api_url: str
    payment_url: str
    app_id: str
    control_secret: str
    pid: int
    running_here: bool


@asynccontextmanager
async def join_or_run(data_dir: Path, *, stores: int = 4, step_delay: float = 0.0) -> AsyncIterator[Joined]:
    """Run the directory's simulator while the context lasts, or find the one that runs already."""
    simulator = Simulator(data_dir, stores=stores, step_delay=step_delay)
    found = await _run_or_find(data_dir, simulator)
    joined = found if isinstance(found, Joined) else _announced(data_dir, found)
    heir = None if joined.running_here else asyncio.create_task(_stand_by(data_dir, simulator))
    try:
        yield joined
    finally:
        if heir is not None:
            heir.cancel()
            await asyncio.gather(heir, return_exceptions=True)
        if simulator.runs:
            (data_dir / FILE).unlink(missing_ok=True)
            await simulator.__aexit__(None, None, None)


async def _stand_by(data_dir: Path, simulator: Simulator) -> None:
    """Wait until nobody runs the directory's simulator, then run it."""
    while True:
        with suppress(AlreadyRunning):
            _announced(data_dir, await simulator.__aenter__())
            return
        await asyncio.sleep(STAND_BY_PAUSE)


async def _run_or_find(data_dir: Path, simulator: Simulator) -> Simulator | Joined:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await simulator.__aenter__()
        except AlreadyRunning:
            other = await running_in(data_dir)
            if other is not None:
                return other
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(PAUSE)


async def running_in(data_dir: Path) -> Joined | None:
    """The directory's simulator, if another process runs it; starts none and changes nothing."""
    try:
        other = Joined(**json.loads((data_dir / FILE).read_text()), running_here=False)
        alive = await ask(other, "ping")
    except (OSError, ValueError, TypeError, TimeoutError):
        return None
    return other if alive["pid"] == other.pid else None


def _announced(data_dir: Path, simulator: Simulator) -> Joined:
    me = Joined(
        simulator.api_url,
        simulator.payment_url,
        simulator.app_id,
        simulator.control_secret,
        os.getpid(),
        running_here=True,
    )
    told = {name: value for name, value in asdict(me).items() if name != "running_here"}
    fresh = data_dir / f"{FILE}.{os.getpid()}"
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(told))
    fresh.replace(data_dir / FILE)
    return me


async def serve(
    data_dir: Path | None = None,
    api_port: int = 0,
    payment_port: int = 0,
    *,
    stores: int = 4,
    as_json: bool = False,
) -> None:
    """Run a simulator until cancelled. Where it is goes to standard error, or as a line of JSON to standard output."""
    running = Simulator(data_dir, stores=stores, api_port=api_port, payment_port=payment_port)
    async with running as simulator:
        _say(simulator, as_json=as_json)
        await asyncio.Event().wait()


def _say(simulator: Simulator, *, as_json: bool) -> None:
    where = {
        "api": simulator.api_url,
        "payment": simulator.payment_url,
        "app_id": simulator.app_id,
        "control_secret": simulator.control_secret,
    }
    words = "".join(f"  {name.replace('_', ' ')}: {value}\n" for name, value in where.items())
    out, text = (sys.stdout, f"{json.dumps(where)}\n") if as_json else (sys.stderr, f"Simulator running:\n{words}")
    out.write(text)
    out.flush()


LOOPBACK = "127.0.0.1"
KEEP_ALIVE = 75  # seconds; a pooled connection must not close under an order that is just being sent


class Listener:
    """One port that an application listens on."""

    def __init__(self, app: "ASGIApp") -> None:
        from uvicorn.config import Config
        from uvicorn.server import ServerState

        self._config = Config(
            app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            timeout_keep_alive=KEEP_ALIVE, interface="asgi3",
        )  # fmt: skip
        self._connections = ServerState()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self, port: int, wished: int = 0) -> None:
        """Listen on `port`; 0 takes the wished one if it is free, else any."""
        self._config.load()
        loop = asyncio.get_running_loop()
        bound = _bound(port, wished)
        self._server = await loop.create_server(self._connection, sock=bound)
        self.url = f"http://{LOOPBACK}:{bound.getsockname()[1]}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def _connection(self) -> "H11Protocol":
        """One connection; hands its transport on, so that the application can close it in the middle of an answer."""
        from uvicorn.protocols.http.h11_impl import H11Protocol

        connection = H11Protocol(self._config, self._connections, {})
        inner = connection.app

        async def with_transport(scope: "Scope", receive: "Receive", send: "Send") -> None:
            scope["simulator.transport"] = connection.transport
            await inner(scope, receive, send)

        connection.app = with_transport
        return connection

    async def stop(self) -> None:
        """Close the port, reset its connections and end their requests."""
        if self._server is None:
            return
        from uvicorn.protocols.http.h11_impl import H11Protocol

        self._server.close()
        for connection in list(self._connections.connections):
            if isinstance(connection, H11Protocol):
                connection.transport.abort()
        await asyncio.sleep(0)  # lets the connections learn that they are lost
        running = list(self._connections.tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._server.wait_closed()


def _bound(port: int, wished: int) -> socket.socket:
    if not port and wished:
        with contextlib.suppress(OSError):
            return _listening(wished)
    return _listening(port)


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: no delay for TCP only
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
