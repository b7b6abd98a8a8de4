"""The simulator as Python code holds it. What it is made of is imported when it starts."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections import deque

    from filelock import BaseFileLock

    from firmly_mcp.simulator.books import Books
    from firmly_mcp.simulator.dialect import Dialect
    from firmly_mcp.simulator.faults import Faults
    from firmly_mcp.simulator.joining import Joined
    from firmly_mcp.simulator.listening import Listener
    from firmly_mcp.simulator.stream import Gate
    from firmly_mcp.simulator.wording import Wording
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
    events of an order stream.
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
    ) -> None:
        self._data_dir = data_dir
        self._now, self._seed, self._stores, self._step_delay = now, seed, stores, step_delay
        self._ports = (api_port, payment_port)
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

    @property
    def dialect(self) -> "Dialect":
        """How it speaks; may be changed while it runs."""
        return self.world.dialect

    @dialect.setter
    def dialect(self, dialect: "Dialect") -> None:
        self.world.dialect = dialect

    @property
    def wording(self) -> "Wording | None":
        """How its stores word what they write; None is the catalog's own words. May be changed while it runs."""
        return self.world.wording

    @wording.setter
    def wording(self, wording: "Wording | None") -> None:
        self.world.wording = wording

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
        from firmly_mcp.simulator.joining import join_or_run

        return join_or_run(data_dir, stores=stores, step_delay=step_delay)

    async def _start(self) -> None:
        from firmly_mcp.simulator.app import App
        from firmly_mcp.simulator.listening import Listener
        from firmly_mcp.simulator.world import World

        world = await asyncio.to_thread(
            World, self._data_dir, now=self._now, seed=self._seed, stores=self._stores, step_delay=self._step_delay
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
