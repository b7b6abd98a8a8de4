"""The simulator for Python code: run it, join the one that runs already, or serve it from a command.

One simulator runs per data directory. The operating system's lock decides which process runs it; a file holds its
address for the others, and a file whose writer is gone is overwritten. A process that joined stands by: when the one
that runs it ends, another continues with its books, at the same addresses.

HTTP is uvicorn's h11 protocol on asyncio's own servers, so that no signal is touched. Stopping resets what is open and
waits for nothing. The parts of a simulator are imported when it starts.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from firmly_mcp.simulator.control import ask

if TYPE_CHECKING:
    from collections import deque

    from filelock import BaseFileLock
    from starlette.types import ASGIApp, Receive, Scope, Send

    from firmly_mcp.simulator.faults import Faults
    from firmly_mcp.simulator.ledger import Books
    from firmly_mcp.simulator.stream import Encoder, Gate
    from firmly_mcp.simulator.world import Received, Request, World

T = TypeVar("T")
LOCK = "simulator.lock"
FILE = "simulator.json"
JOIN_WITHIN, JOIN_PAUSE, STANDBY_PAUSE = 15.0, 0.05, 0.25
LOOPBACK = "127.0.0.1"
KEEP_ALIVE = 75  # seconds; a pooled connection must not close under an order that is just being sent


class AlreadyRunning(RuntimeError):
    """Another simulator holds this data directory."""


def utc_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


class OfWorld(Generic[T]):
    """An attribute of the world, which exists while the simulator runs."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, simulator: "Simulator", owner: type) -> T:
        value: T = getattr(simulator.world, self._name)
        return value


class Simulator:
    """Firmly and its stores on loopback, for as long as the `async with` lasts.

    With a `data_dir` its state outlives it: the next start continues with the same books. `now` is its clock, `seed`
    generates its products, `stores` is their number, `step_delay` the seconds between two events of an order stream,
    `encode` how its answers are written.
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
        self._stack = AsyncExitStack()
        self._world: World | None = None

    async def __aenter__(self) -> Self:
        from firmly_mcp.simulator.app import App
        from firmly_mcp.simulator.world import World

        async with AsyncExitStack() as stack:
            if self._data_dir is not None:
                stack.callback(_locked(self._data_dir).release)
            world = await asyncio.to_thread(
                World, self._data_dir, now=self._now, seed=self._seed, stores=self._stores, step_delay=self._step_delay
            )
            stack.callback(world.state.close)
            world.encode = self._encode or world.encode
            preferred: list[int] = world.state.value("ports", lambda: [0, 0])
            ports = [
                await stack.enter_async_context(_listening(App(world, host), port, last))
                for host, port, last in zip(("api", "payment"), self._ports, preferred, strict=True)
            ]
            world.api_url, world.payment_url = (f"http://{LOOPBACK}:{port}" for port in ports)
            world.state.set_value("ports", ports)
            world.state.commit()
            self._world, self._stack = world, stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self._world = None

    @property
    def runs(self) -> bool:
        """Whether it runs in this process."""
        return self._world is not None

    @property
    def world(self) -> "World":
        """Everything inside, while it runs."""
        if self._world is None:
            raise RuntimeError("the simulator is not running")
        return self._world

    api_url: "OfWorld[str]" = OfWorld()  # the base URL of everything but payment
    payment_url: "OfWorld[str]" = OfWorld()  # the base URL of payment (Firmly's cc host)
    app_id: "OfWorld[str]" = OfWorld()  # the App ID that it accepts
    server_secret: "OfWorld[str]" = OfWorld()  # the server-to-server secret that it accepts for discovery
    control_secret: "OfWorld[str]" = OfWorld()  # the secret of the control path
    books: "OfWorld[Books]" = OfWorld()  # what was charged
    received: "OfWorld[deque[Received]]" = OfWorld()  # what payment requests carried: shapes and names, no values
    requests: "OfWorld[deque[Request]]" = OfWorld()  # the last requests: neither headers nor bodies
    faults: "OfWorld[Faults]" = OfWorld()  # the faults that wait for their requests

    def hold_events(self, store: str | None = None) -> "Gate":
        """Hold back the events of order streams; `await gate.release()` sends one and returns its name."""
        return self.world.hold_events(store)

    def rotate_key(self, *, same_kid: bool = False) -> str:
        """Replace the payment key, under a new kid or under the old one, and return the kid."""
        kid = self.world.keys.rotate(same_kid=same_kid)
        self.world.state.commit()
        return kid

    def advance(self, by: timedelta) -> None:
        """Move the clock."""
        self.world.advance(by)
        self.world.state.commit()

    def set_price(self, store: str, sku: str, cents: int | None) -> None:
        """Change a unit price, in cents; None restores the first one."""
        self.world.stock.set_price(store, sku, cents)
        self.world.state.commit()

    def set_stock(self, store: str, sku: str, left: int | None) -> None:
        """Change how many of a variant are left; None restores the first stock."""
        self.world.stock.set_stock(store, sku, left)
        self.world.state.commit()

    def send_back(self, order_number: str) -> None:
        """Return a whole order to its store now; it is refunded in four days."""
        self.world.orders.return_order(order_number, self.world.now())
        self.world.state.commit()

    @staticmethod
    @asynccontextmanager
    async def join_or_run(data_dir: Path, *, step_delay: float = 0.0) -> AsyncIterator["Joined"]:
        """Run the directory's simulator while the context lasts, or join the one that runs already."""
        simulator = Simulator(data_dir, step_delay=step_delay)
        joined = await _run_or_find(data_dir, simulator)
        standby = None if joined.running_here else asyncio.create_task(_stand_by(data_dir, simulator))
        try:
            yield joined
        finally:
            if standby is not None:
                standby.cancel()
                await asyncio.gather(standby, return_exceptions=True)
            if simulator.runs:
                (data_dir / FILE).unlink(missing_ok=True)
                await simulator.__aexit__()


def _locked(data_dir: Path) -> "BaseFileLock":
    from filelock import FileLock, Timeout

    data_dir.mkdir(parents=True, exist_ok=True)
    data_dir.chmod(0o700)
    lock = FileLock(data_dir / LOCK, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning(f"a simulator is running in {data_dir}") from None
    return lock


@dataclass(frozen=True, slots=True)
class Joined:
    """The simulator of a data directory; `running_here` is whether this process runs it."""

    api_url: str
    payment_url: str
    app_id: str
    control_secret: str
    pid: int
    running_here: bool


async def _stand_by(data_dir: Path, simulator: Simulator) -> None:
    """Wait until no process runs the directory's simulator, then run it."""
    while True:
        with suppress(AlreadyRunning):
            announce(data_dir, await simulator.__aenter__())
            return
        await asyncio.sleep(STANDBY_PAUSE)


async def _run_or_find(data_dir: Path, simulator: Simulator) -> Joined:
    deadline = asyncio.get_running_loop().time() + JOIN_WITHIN
    while True:
        try:
            return announce(data_dir, await simulator.__aenter__())
        except AlreadyRunning:
            other = await running_in(data_dir)
            if other is not None:
                return other
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(JOIN_PAUSE)


async def running_in(data_dir: Path) -> Joined | None:
    """Return the directory's simulator, if another process runs it; this starts none and changes nothing."""
    try:
        other = Joined(**json.loads((data_dir / FILE).read_text()), running_here=False)
        alive = await ask(other, "ping")
    except (OSError, ValueError, TypeError, TimeoutError):
        return None
    return other if alive["pid"] == other.pid else None


def announce(data_dir: Path, sim: Simulator) -> Joined:
    """Write the address of a simulator of this process for the others."""
    joined = Joined(sim.api_url, sim.payment_url, sim.app_id, sim.control_secret, os.getpid(), running_here=True)
    address = {name: value for name, value in asdict(joined).items() if name != "running_here"}
    new = data_dir / f"{FILE}.{os.getpid()}"
    new.touch(mode=0o600)
    new.write_text(json.dumps(address))
    new.replace(data_dir / FILE)
    return joined


async def serve(
    data_dir: Path | None = None, api_port: int = 0, payment_port: int = 0, *, stores: int = 4, as_json: bool = False
) -> None:
    """Run a simulator until cancelled. Its address goes to standard error, or as a JSON line to standard output."""
    async with Simulator(data_dir, stores=stores, api_port=api_port, payment_port=payment_port) as simulator:
        address = {
            "api": simulator.api_url,
            "payment": simulator.payment_url,
            "app_id": simulator.app_id,
            "control_secret": simulator.control_secret,
        }
        lines = "".join(f"  {name.replace('_', ' ')}: {value}\n" for name, value in address.items())
        out = sys.stdout if as_json else sys.stderr
        out.write(f"{json.dumps(address)}\n" if as_json else f"Simulator running:\n{lines}")
        out.flush()
        await asyncio.Event().wait()


@asynccontextmanager
async def _listening(app: "ASGIApp", port: int, preferred: int) -> AsyncIterator[int]:
    """Serve an application on `port`; 0 takes the preferred one if it is free, else any."""
    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.server import ServerState

    state = ServerState()
    config = Config(
        app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
        timeout_keep_alive=KEEP_ALIVE, interface="asgi3",
    )  # fmt: skip
    config.load()

    def connection() -> H11Protocol:
        protocol = H11Protocol(config, state, {})
        inner = protocol.app

        async def with_transport(scope: "Scope", receive: "Receive", send: "Send") -> None:
            scope["simulator.transport"] = protocol.transport  # to close it in the middle of an answer
            await inner(scope, receive, send)

        protocol.app = with_transport
        return protocol

    bound = _bind(port, preferred)
    server = await asyncio.get_running_loop().create_server(connection, sock=bound)
    try:
        yield bound.getsockname()[1]
    finally:
        server.close()
        for open_one in list(state.connections):
            if isinstance(open_one, H11Protocol):
                open_one.transport.abort()
        await asyncio.sleep(0)  # the connections learn that they are lost
        running = list(state.tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


def _bind(port: int, preferred: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio: no delay for TCP only
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((LOOPBACK, port or preferred))
    except OSError:
        bound.close()
        if port or not preferred:
            raise
        return _bind(0, 0)
    bound.setblocking(False)
    return bound
